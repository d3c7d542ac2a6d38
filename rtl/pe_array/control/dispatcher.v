// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "descriptors.vh"
/*
 * Dispatcher: descriptors to the queues of their engines, and counts of what is done
 *
 * The upper digit of the opcode is the engine. A descriptor with an opcode that docs/pe_array/descriptors.md does not
 * name goes nowhere: error pulses, with its index. A descriptor waits for room in its queue, and those behind it with
 * it.
 *
 * Latency: 1 clock from s_* to the queues' valid, or to error; one descriptor per clock. The counts show a done 1 clock
 * later.
 */
module dispatcher (
    input  wire         clk,
    input  wire         rst,            // synchronous, active high: forgets everything

    input  wire         clear,          // all counts to 0

    input  wire         s_valid,        // descriptors, in the order of the program
    output wire         s_ready,
    input  wire [255:0] s_data,
    input  wire [23:0]  s_index,

    output wire         load_valid,     // to the queue of the load engine
    input  wire         load_ready,
    output wire         compute_valid,
    input  wire         compute_ready,
    output wire         store_valid,
    input  wire         store_ready,
    output wire [255:0] q_data,         // to all queues
    output wire [23:0]  q_index,
    output wire         idle,           // no descriptor is inside

    output wire         error,          // pulse
    output wire [3:0]   error_cause,    // 1: unknown opcode
    output wire [23:0]  error_index,    // with error: its descriptor

    input  wire         load_done,      // pulses: an operation is done
    input  wire         compute_done,
    input  wire         store_done,
    output wire [23:0]  loads_done,     // operations done since clear
    output wire [23:0]  computes_done,
    output wire [23:0]  stores_done
);

reg         load_reg;
reg         compute_reg;
reg         store_reg;
reg         error_reg;
reg [255:0] data_reg;
reg [23:0]  index_reg;

wire [7:0] opcode = s_data[`ARRAY_D_OPCODE];
wire is_load = opcode >= `ARRAY_OPCODE_LOAD_FIRST && opcode <= `ARRAY_OPCODE_LOAD_LAST;
wire is_compute = opcode >= `ARRAY_OPCODE_COMPUTE_FIRST && opcode <= `ARRAY_OPCODE_COMPUTE_LAST;
wire is_store = opcode >= `ARRAY_OPCODE_STORE_FIRST && opcode <= `ARRAY_OPCODE_STORE_LAST;
wire go = (load_reg && load_ready) || (compute_reg && compute_ready) || (store_reg && store_ready);

assign idle = !load_reg && !compute_reg && !store_reg;
assign s_ready = idle || go;

wire take = s_valid && s_ready;

always @(posedge clk) begin
    if (s_ready) begin
        load_reg <= s_valid && is_load;
        compute_reg <= s_valid && is_compute;
        store_reg <= s_valid && is_store;
        data_reg <= s_data;
        index_reg <= s_index;
    end
    error_reg <= take && !is_load && !is_compute && !is_store;
    if (rst) begin
        load_reg <= 1'b0;
        compute_reg <= 1'b0;
        store_reg <= 1'b0;
        error_reg <= 1'b0;
    end
end

event_counter #(
    .WIDTH(24)
) loads (
    .clk(clk),
    .rst(rst),
    .clear(clear),
    .step(load_done),
    .count(loads_done)
);

event_counter #(
    .WIDTH(24)
) computes (
    .clk(clk),
    .rst(rst),
    .clear(clear),
    .step(compute_done),
    .count(computes_done)
);

event_counter #(
    .WIDTH(24)
) stores (
    .clk(clk),
    .rst(rst),
    .clear(clear),
    .step(store_done),
    .count(stores_done)
);

assign load_valid = load_reg;
assign compute_valid = compute_reg;
assign store_valid = store_reg;
assign q_data = data_reg;
assign q_index = index_reg;
assign error = error_reg;
assign error_cause = `ARRAY_CAUSE_OPCODE;
assign error_index = index_reg;

endmodule
`resetall
