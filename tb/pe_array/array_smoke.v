// SPDX-License-Identifier: Apache-2.0
`timescale 1ns / 1ps
`resetall
`default_nettype none
`include "array_registers.vh"
`include "descriptors.vh"
/*
 * First look at pe_array in any Verilog simulator: a program of one descriptor, DELTA, and its result in memory
 *
 * Needs nothing but a simulator: program and data are put into the memory behind the AXI port. Prints PASS and ends; at
 * a fault it prints what was wrong and stops. What the array computes is tested by the cocotb benches.
 */
module array_smoke;

// Bytes of a beat, and the address of the memory
localparam B = 8;
localparam [31:0] BASE = 32'h4000_0000;
localparam WORDS = 64;
localparam CLASSES = 3;
// Beats of program, logits, labels and result in memory
localparam PROGRAM = 0;
localparam LOGITS = 8;
localparam LABELS = 16;
localparam RESULT = 24;
// Commands of the harness
localparam [2:0] WRITE = 3'd0;
localparam [2:0] READ = 3'd1;
localparam [2:0] WAIT = 3'd2;

reg          clk;
reg          rst;
reg          req;
reg  [2:0]   op;
reg  [11:0]  addr;
reg  [31:0]  data;
wire         ack;
wire [31:0]  answer;
wire [1:0]   resp;
reg  [255:0] descriptor;
reg  [7:0]   seen, wanted;
integer      c, i;

array_harness #(
    .P(2),
    .B(B),
    .X_DEPTH(16),
    .Y_DEPTH(16),
    .W_DEPTH(16),
    .E_DEPTH(16),
    .T_DEPTH(16),
    .WORDS(WORDS)
) harness (
    .clk(clk),
    .rst(rst),
    .cmd_req(req),
    .cmd_op(op),
    .cmd_addr(addr),
    .cmd_data(data),
    .cmd_ack(ack),
    .cmd_answer(answer),
    .cmd_resp(resp),
    .memory_base(BASE),
    .later(8'd0),
    .stalls(1'b0),
    .stall_seed(16'd1),
    .error_first(32'd0),
    .error_last(32'd0),
    .error_resp(2'd0),
    .error_read(1'b0),
    .error_write(1'b0)
);

initial clk = 1'b0;
always #5 clk = !clk;

task fail(input [31:0] value);
    begin
        $display("FAIL: %h", value);
        $stop;
    end
endtask

task command(input [2:0] what, input [9:0] word, input [31:0] value);
    begin
        op <= what;
        addr <= {word, 2'd0};
        data <= value;
        req <= !req;
        @(posedge clk);
        while (ack != req) @(posedge clk);
        if (resp != 2'd0) fail({30'd0, resp});
    end
endtask

// Ends a simulation in which something never comes
initial begin
    #100000;
    $display("FAIL: no end");
    $stop;
end

initial begin
    rst = 1'b1;
    {req, op, addr, data} = 48'd0;
    repeat (2) @(posedge clk);
    rst <= 1'b0;
    repeat (2) @(posedge clk);

    descriptor = 256'd0;
    descriptor[`ARRAY_D_OPCODE] = `ARRAY_OPCODE_DELTA;
    descriptor[`ARRAY_D_DELTA_LOGITS] = BASE + B*LOGITS;
    descriptor[`ARRAY_D_DELTA_LABELS] = BASE + B*LABELS;
    descriptor[`ARRAY_D_DELTA_OUTPUT] = BASE + B*RESULT;
    descriptor[`ARRAY_D_DELTA_CLASSES] = CLASSES - 1;
    for (i = 0; i < 4; i = i + 1) harness.memory.mem[PROGRAM + i] = descriptor[64*i +: 64];
    for (c = 0; c < CLASSES; c = c + 1) harness.memory.mem[LOGITS + c] = 64'd0;
    for (i = 0; i < B; i = i + 1) harness.memory.mem[LABELS][8*i +: 8] = i % CLASSES;

    command(READ, `ARRAY_ID, 32'd0);
    if (answer != `ARRAY_ID_VALUE) fail(answer);
    command(WRITE, `ARRAY_PROGRAM, BASE);
    command(WRITE, `ARRAY_LENGTH, 32'd1);
    command(WRITE, `ARRAY_READ_BASE, BASE);
    command(WRITE, `ARRAY_READ_LAST, BASE + B*WORDS - 1);
    command(WRITE, `ARRAY_WRITE_BASE, BASE + B*RESULT);
    command(WRITE, `ARRAY_WRITE_LAST, BASE + B*WORDS - 1);
    command(WRITE, `ARRAY_CONTROL, 32'd1 << `ARRAY_CONTROL_START);
    command(WAIT, `ARRAY_STATUS, 32'd1 << `ARRAY_STATUS_BUSY);
    if (!answer[`ARRAY_STATUS_ENDED] || answer[`ARRAY_STATUS_ERROR]) fail(answer);

    // 128 times sigmoid(0), less 128 where the class is the label
    for (c = 0; c < CLASSES; c = c + 1) begin
        for (i = 0; i < B; i = i + 1) begin
            seen = harness.memory.mem[RESULT + c][8*i +: 8];
            wanted = i % CLASSES == c ? -8'd64 : 8'd64;
            if (seen !== wanted) begin
                $display("FAIL: class %0d of image %0d is %h in place of %h", c, i, seen, wanted);
                $stop;
            end
        end
    end
    $display("PASS: pe_array has computed the deltas of %0d classes", CLASSES);
    $finish;
end

endmodule
`resetall
