// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
/*
 * Program unit: from a program in memory to one queue of descriptors per engine
 *
 * program_fetch reads the descriptors, dispatcher hands each to the queue of its engine and counts what is done, and
 * three op_queues hold each descriptor back until the operations that it waits for are done. Vectors over engines have
 * the load engine in the low bits, then compute, then store.
 *
 * Latency: no register of its own. start to rd_cmd_valid 2 clocks; final beat of a descriptor to d_valid 5 clocks, if
 * nothing is before it and its counts are reached; done to d_valid of a descriptor that has waited for it 2 clocks.
 *
 * Handshakes: valid and ready, on all streams. `start` comes only while fetch_idle, dispatch_idle and queue_empty.
 */
module program_unit #(
    // Bytes of a beat, a power of two, 8 ... 64
    parameter B = 32,
    // Descriptors in the queue of an engine, at least 3
    parameter QUEUE_DEPTH = 8
) (
    input  wire             clk,
    input  wire             rst,                    // synchronous, active high: forgets everything

    input  wire             start,                  // pulse: fetch a program, all counts to 0
    input  wire [31:0]      addr,                   // with start: of its first descriptor, bytes
    input  wire [23:0]      length,                 // with start: descriptors
    output wire             fetch_idle,             // all descriptors have left the fetch, or an error has ended it
    output wire             dispatch_idle,          // none is in the dispatcher
    output wire [2:0]       queue_empty,            // none is in the queue of the engine

    output wire             rd_cmd_valid,           // read port, see axi_read
    input  wire             rd_cmd_ready,
    output wire [31:0]      rd_cmd_addr,            // bytes
    output wire [15:0]      rd_cmd_beats,           // beats less one
    input  wire             rd_valid,
    output wire             rd_ready,
    input  wire [8*B-1:0]   rd_data,
    input  wire             rd_last,                // final item of a command
    input  wire [1:0]       rd_error,               // not 0: no beat, but 1 refused, 2 SLVERR, 3 DECERR

    output wire [2:0]       d_valid,                // to each engine: a descriptor whose counts are reached
    input  wire [2:0]       d_ready,
    output wire [3*256-1:0] d_data,                 // its word 0 in the low bits
    output wire [3*24-1:0]  d_index,                // its place in the program
    input  wire [2:0]       done,                   // pulse of each engine: an operation that is counted is done

    output wire             fetch_error,            // pulse: a descriptor cannot be read
    output wire [3:0]       fetch_error_cause,
    output wire [23:0]      fetch_error_index,      // the descriptor
    output wire             dispatch_error,         // pulse: a descriptor has an unknown opcode
    output wire [3:0]       dispatch_error_cause,
    output wire [23:0]      dispatch_error_index    // the descriptor
);

// From the fetch to the dispatcher
wire         p_valid, p_ready;
wire [255:0] p_data;
wire [23:0]  p_index;
// From the dispatcher to the queues
wire [2:0]   q_valid, q_ready;
wire [255:0] q_data;
wire [23:0]  q_index;
wire [23:0]  loads_done, computes_done, stores_done;

program_fetch #(
    .B(B)
) fetch (
    .clk(clk),
    .rst(rst),
    .start(start),
    .addr(addr),
    .length(length),
    .idle(fetch_idle),
    .rd_cmd_valid(rd_cmd_valid),
    .rd_cmd_ready(rd_cmd_ready),
    .rd_cmd_addr(rd_cmd_addr),
    .rd_cmd_beats(rd_cmd_beats),
    .rd_valid(rd_valid),
    .rd_ready(rd_ready),
    .rd_data(rd_data),
    .rd_last(rd_last),
    .rd_error(rd_error),
    .p_valid(p_valid),
    .p_ready(p_ready),
    .p_data(p_data),
    .p_index(p_index),
    .error(fetch_error),
    .error_cause(fetch_error_cause),
    .error_index(fetch_error_index)
);

dispatcher dispatch (
    .clk(clk),
    .rst(rst),
    .clear(start),
    .s_valid(p_valid),
    .s_ready(p_ready),
    .s_data(p_data),
    .s_index(p_index),
    .load_valid(q_valid[0]),
    .load_ready(q_ready[0]),
    .compute_valid(q_valid[1]),
    .compute_ready(q_ready[1]),
    .store_valid(q_valid[2]),
    .store_ready(q_ready[2]),
    .q_data(q_data),
    .q_index(q_index),
    .idle(dispatch_idle),
    .error(dispatch_error),
    .error_cause(dispatch_error_cause),
    .error_index(dispatch_error_index),
    .load_done(done[0]),
    .compute_done(done[1]),
    .store_done(done[2]),
    .loads_done(loads_done),
    .computes_done(computes_done),
    .stores_done(stores_done)
);

genvar i;
generate
    for (i = 0; i < 3; i = i + 1) begin : g_queue
        op_queue #(
            .DEPTH(QUEUE_DEPTH)
        ) queue (
            .clk(clk),
            .rst(rst),
            .s_valid(q_valid[i]),
            .s_ready(q_ready[i]),
            .s_data(q_data),
            .s_index(q_index),
            .loads_done(loads_done),
            .computes_done(computes_done),
            .stores_done(stores_done),
            .d_valid(d_valid[i]),
            .d_ready(d_ready[i]),
            .d_data(d_data[256*i +: 256]),
            .d_index(d_index[24*i +: 24]),
            .empty(queue_empty[i])
        );
    end
endgenerate

endmodule
`resetall
