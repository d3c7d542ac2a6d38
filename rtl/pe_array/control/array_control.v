// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "descriptors.vh"
/*
 * Array control: start, end and stop of programs
 *
 * A start (while not busy) gives one pulse of `run`. The program has ended when everything has been idle for 8 clocks,
 * in which whatever goes from one module to the next arrives. At the first error, or at a stop of the host (cause 10,
 * engine 0, index 0), status is latched, and engine_rst and cancel are held for at least 4 clocks and until the AXI
 * ports are idle. Of errors in one clock the first of dispatcher, fetch, load, compute, store counts (the dispatcher's
 * descriptor is before the fetch's; both are engine 0); an error wins over a stop, both over the end, and a stop over a
 * start. At the end of a program engine_rst is high for a clock, so that nothing is left over for the next one.
 *
 * Latency: start to run and busy 1 clock; error or stop to engine_rst and status 1 clock. engine_rst and cancel are
 * also high in the clock after rst: what engine_rst resets needs no rst.
 */
module array_control (
    input  wire        clk,
    input  wire        rst,                 // synchronous, active high

    // from and to the registers
    input  wire        start,               // pulse
    input  wire        stop,                // pulse
    input  wire        seed_enable,         // with start: load the random words
    output wire        busy,
    output wire        ended,               // the last program has come to its end
    output wire        error,               // it was stopped
    output wire [3:0]  error_cause,         // 0 without error, as the two below
    output wire [1:0]  error_engine,        // 0 fetch, 1 load, 2 compute, 3 store
    output wire [23:0] error_index,         // descriptor

    // to the engines and ports
    output wire        run,                 // pulse: the program begins; to program_fetch.start and dispatcher.clear
    output wire        seed_load,           // pulse with run, if seed_enable was high with start
    output wire        engine_rst,          // reset of fetch, dispatcher, queues, engines and grid
    output wire        cancel,              // of the AXI ports

    // Pulses, with cause and descriptor
    input  wire        dispatch_error,
    input  wire [3:0]  dispatch_error_cause,
    input  wire [23:0] dispatch_error_index,
    input  wire        fetch_error,
    input  wire [3:0]  fetch_error_cause,
    input  wire [23:0] fetch_error_index,
    input  wire        load_error,
    input  wire [3:0]  load_error_cause,
    input  wire [23:0] load_error_index,
    input  wire        compute_error,
    input  wire [3:0]  compute_error_cause,
    input  wire [23:0] compute_error_index,
    input  wire        store_error,
    input  wire [3:0]  store_error_cause,
    input  wire [23:0] store_error_index,

    input  wire        fetch_idle,
    input  wire        dispatch_idle,
    input  wire [2:0]  queue_empty,         // load, compute, store
    input  wire [2:0]  engine_idle,
    input  wire        ports_idle           // of all AXI ports
);

localparam [1:0] IDLE = 2'd0;
localparam [1:0] RUN = 2'd1;
localparam [1:0] STOP = 2'd2;
localparam [2:0] LAST_QUIET = 3'd7;
localparam [2:0] LAST_HOLD = 3'd3;

reg [1:0]  state_reg, state_next;
reg [2:0]  count_reg, count_next;           // RUN: clocks for which all was idle; STOP: clocks, up to LAST_HOLD
reg        run_reg;
reg        seed_reg;
reg        ended_reg, ended_next;
reg        error_reg, error_next;
reg [29:0] where_reg, where_next;           // cause, engine, descriptor
reg        reset_reg;

wire begins = state_reg == IDLE && start && !stop;
wire all_idle = fetch_idle && dispatch_idle && &queue_empty && &engine_idle && ports_idle && !run_reg;
wire failed = dispatch_error || fetch_error || load_error || compute_error || store_error;

always @* begin
    state_next = state_reg;
    count_next = 3'd0;
    ended_next = ended_reg;
    error_next = error_reg;
    where_next = where_reg;

    case (state_reg)
        IDLE: begin
            if (begins) begin
                state_next = RUN;
                ended_next = 1'b0;
                error_next = 1'b0;
                where_next = 30'd0;
            end
        end
        RUN: begin
            if (failed || stop) begin
                state_next = STOP;
                error_next = 1'b1;
                where_next = {`ARRAY_CAUSE_HOST, `ARRAY_ENGINE_FETCH, 24'd0};
                if (store_error) where_next = {store_error_cause, `ARRAY_ENGINE_STORE, store_error_index};
                if (compute_error) where_next = {compute_error_cause, `ARRAY_ENGINE_COMPUTE, compute_error_index};
                if (load_error) where_next = {load_error_cause, `ARRAY_ENGINE_LOAD, load_error_index};
                if (fetch_error) where_next = {fetch_error_cause, `ARRAY_ENGINE_FETCH, fetch_error_index};
                if (dispatch_error) where_next = {dispatch_error_cause, `ARRAY_ENGINE_FETCH, dispatch_error_index};
            end else if (all_idle) begin
                count_next = count_reg + 3'd1;
                if (count_reg == LAST_QUIET) begin
                    state_next = IDLE;
                    ended_next = 1'b1;
                end
            end
        end
        default: begin
            count_next = count_reg;
            if (count_reg != LAST_HOLD) count_next = count_reg + 3'd1;
            else if (ports_idle) state_next = IDLE;
        end
    endcase
end

always @(posedge clk) begin
    state_reg <= state_next;
    count_reg <= count_next;
    ended_reg <= ended_next;
    error_reg <= error_next;
    where_reg <= where_next;
    run_reg <= begins;
    seed_reg <= begins && seed_enable;
    reset_reg <= state_next == STOP || (state_reg == RUN && state_next == IDLE);
    if (rst) begin
        state_reg <= IDLE;
        count_reg <= 3'd0;
        ended_reg <= 1'b0;
        error_reg <= 1'b0;
        where_reg <= 30'd0;
        run_reg <= 1'b0;
        seed_reg <= 1'b0;
        reset_reg <= 1'b1;
    end
end

assign busy = state_reg != IDLE;
assign ended = ended_reg;
assign error = error_reg;
assign {error_cause, error_engine, error_index} = where_reg;
assign run = run_reg;
assign seed_load = seed_reg;
assign engine_rst = reset_reg;
assign cancel = reset_reg && !ended_reg;

endmodule
`resetall
