// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none

/*
 * Several arrays, each with a memory of its own, under one clock (simulation only)
 *
 * Array n is an array_harness.v, and has lane n of every input and output but clk and rst. Commands that are given to
 * several arrays in one clock go on in lockstep: so programs start in the same clock.
 */
module arrays_harness #(
    // Arrays, at least 2
    parameter ARRAYS = 2,
    // All of array_harness, of each
    parameter P = 4,
    parameter B = 8,
    parameter ACC = 32,
    parameter X_DEPTH = 128,
    parameter Y_DEPTH = 64,
    parameter W_DEPTH = 64,
    parameter E_DEPTH = 16,
    parameter T_DEPTH = 128,
    parameter FRAC = 4,
    parameter DATA = 8,
    parameter MASTER = 24,
    parameter BUS = 8*B,
    parameter READ_FIFO = 128,
    parameter OUTSTANDING = 8,
    parameter WORDS = 16384,
    parameter LATENCY = 10
) (
    input  wire                 clk,
    input  wire                 rst,

    input  wire [ARRAYS-1:0]    cmd_req,
    input  wire [3*ARRAYS-1:0]  cmd_op,
    input  wire [12*ARRAYS-1:0] cmd_addr,
    input  wire [32*ARRAYS-1:0] cmd_data,
    output wire [ARRAYS-1:0]    cmd_ack,
    output wire [32*ARRAYS-1:0] cmd_answer,
    output wire [2*ARRAYS-1:0]  cmd_resp,

    input  wire [32*ARRAYS-1:0] memory_base,
    input  wire [8*ARRAYS-1:0]  later,
    input  wire [ARRAYS-1:0]    stalls,
    input  wire [16*ARRAYS-1:0] stall_seed,
    input  wire [32*ARRAYS-1:0] error_first,
    input  wire [32*ARRAYS-1:0] error_last,
    input  wire [2*ARRAYS-1:0]  error_resp,
    input  wire [ARRAYS-1:0]    error_read,
    input  wire [ARRAYS-1:0]    error_write
);

genvar n;
generate
    for (n = 0; n < ARRAYS; n = n + 1) begin : g_array
        array_harness #(
            .P(P),
            .B(B),
            .ACC(ACC),
            .X_DEPTH(X_DEPTH),
            .Y_DEPTH(Y_DEPTH),
            .W_DEPTH(W_DEPTH),
            .E_DEPTH(E_DEPTH),
            .T_DEPTH(T_DEPTH),
            .FRAC(FRAC),
            .DATA(DATA),
            .MASTER(MASTER),
            .BUS(BUS),
            .READ_FIFO(READ_FIFO),
            .OUTSTANDING(OUTSTANDING),
            .WORDS(WORDS),
            .LATENCY(LATENCY)
        ) harness (
            .clk(clk),
            .rst(rst),
            .cmd_req(cmd_req[n]),
            .cmd_op(cmd_op[3*n +: 3]),
            .cmd_addr(cmd_addr[12*n +: 12]),
            .cmd_data(cmd_data[32*n +: 32]),
            .cmd_ack(cmd_ack[n]),
            .cmd_answer(cmd_answer[32*n +: 32]),
            .cmd_resp(cmd_resp[2*n +: 2]),
            .memory_base(memory_base[32*n +: 32]),
            .later(later[8*n +: 8]),
            .stalls(stalls[n]),
            .stall_seed(stall_seed[16*n +: 16]),
            .error_first(error_first[32*n +: 32]),
            .error_last(error_last[32*n +: 32]),
            .error_resp(error_resp[2*n +: 2]),
            .error_read(error_read[n]),
            .error_write(error_write[n])
        );
    end
endgenerate

endmodule

`resetall
