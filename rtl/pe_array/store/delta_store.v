// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
`include "descriptors.vh"
/*
 * Store engine, DELTA: deltas of the output layer from logits and labels in memory
 *
 * Reads the beat of labels, then a beat of logits per class, and writes a beat of deltas per class (output_delta8).
 * With softmax the logits are read three times, and the deltas are made in the third (softmax8). Done when the write is
 * answered; nothing is taken before. The deltas may go where the logits were.
 *
 * Latency: DELTA taken in clock c: wr_cmd_valid and rd_cmd_valid for the labels in c+1, for the logits 1 clock after
 * that is taken. A beat takes 2 clocks from rd_data to wr_data, one beat per clock; with softmax 11 clocks, one in 8.
 * done 1 clock after wr_done.
 *
 * Errors (one pulse, then nothing is taken or done before a reset): 2 more than 256 classes, or softmax where there is
 * none, 1 clock after the descriptor was taken; 3 a refused read or write, 4, 5 SLVERR, DECERR of a read, 6, 7 of a
 * write, 1 clock after they showed.
 */
module delta_store #(
    // Lanes: images of the batch and bytes of a beat, a power of two, 4 ... 64
    parameter B = 32,
    // Fraction bits of the logits, 0 ... 7
    parameter FRAC = 4,
    // 1: deltas with softmax too; 0: with sigmoid alone
    parameter SOFTMAX = 1,
    // Bits of a delta, 4 ... 8
    parameter DATA = 8
) (
    input  wire           clk,
    // Synchronous, active high: forgets everything
    input  wire           rst,

    // Descriptor, and its place in the program
    input  wire           d_valid,
    output wire           d_ready,
    input  wire [255:0]   d_data,
    input  wire [23:0]    d_index,

    // Pulse: a DELTA is done
    output wire           done,
    // None is under way
    output wire           idle,
    // Pulse, with cause and descriptor
    output wire           error,
    output wire [3:0]     error_cause,
    output wire [23:0]    error_index,

    // Reads of labels and logits, see axi_read; addresses in bytes, beats less one
    output wire           rd_cmd_valid,
    input  wire           rd_cmd_ready,
    output wire [31:0]    rd_cmd_addr,
    output wire [15:0]    rd_cmd_beats,
    input  wire           rd_valid,
    output wire           rd_ready,
    input  wire [8*B-1:0] rd_data,
    input  wire           rd_last,
    input  wire [1:0]     rd_error,

    // The write of the deltas, see axi_write
    output wire           wr_cmd_valid,
    input  wire           wr_cmd_ready,
    output wire [31:0]    wr_cmd_addr,
    output wire [15:0]    wr_cmd_beats,
    output wire           wr_valid,
    input  wire           wr_ready,
    output wire [8*B-1:0] wr_data,
    input  wire           wr_done,
    input  wire [1:0]     wr_error
);

`REQUIRE(g_softmax, SOFTMAX == 0 || SOFTMAX == 1, ("%m: SOFTMAX = %0d must be 0 or 1", SOFTMAX))

`include "port_cause.vh"

reg         busy_reg;           // a descriptor is under way
reg         failed_reg;         // until the reset
reg  [31:0] logits_addr_reg;
reg  [31:0] labels_addr_reg;
reg  [31:0] deltas_addr_reg;
reg  [7:0]  last_class_reg;
reg         softmax_reg;
reg  [23:0] index_reg;
reg         labels_cmd_reg;     // the command for the labels is to be given
reg         logits_cmd_reg;     // one for the logits is
reg  [1:0]  more_reg;           // and so many behind it
reg         deltas_cmd_reg;     // that for the deltas is
reg         labels_reg;         // the labels are there
reg  [8*B-1:0] labels_data_reg;

wire take = d_valid && d_ready;
wire [11:0] last_class = d_data[`ARRAY_D_DELTA_CLASSES];
wire softmax = d_data[`ARRAY_D_DELTA_SOFTMAX];
wire refused = last_class[11:8] != 4'd0 || (softmax && SOFTMAX == 0);

assign d_ready = !busy_reg;
assign rd_cmd_valid = labels_cmd_reg || logits_cmd_reg;
assign rd_cmd_addr = labels_cmd_reg ? labels_addr_reg : logits_addr_reg;
assign rd_cmd_beats = labels_cmd_reg ? 16'd0 : {8'd0, last_class_reg};
assign wr_cmd_valid = deltas_cmd_reg;
assign wr_cmd_addr = deltas_addr_reg;
assign wr_cmd_beats = {8'd0, last_class_reg};

wire rd_good = rd_valid && rd_error == 2'd0;
wire logit = rd_good && labels_reg;
wire logit_ready;
wire label_taken;

assign rd_ready = !labels_reg || logit_ready;

// (copied while none is under way: whether there is one is known late)
always @(posedge clk) begin
    if (d_ready) begin
        logits_addr_reg <= d_data[`ARRAY_D_DELTA_LOGITS];
        labels_addr_reg <= d_data[`ARRAY_D_DELTA_LABELS];
        deltas_addr_reg <= d_data[`ARRAY_D_DELTA_OUTPUT];
        last_class_reg <= last_class[7:0];
        softmax_reg <= softmax;
        index_reg <= d_index;
    end
    if (d_ready) more_reg <= softmax ? 2'd2 : 2'd0;
    else if (logits_cmd_reg && rd_cmd_ready) more_reg <= more_reg - 2'd1;
    if (rd_good && !labels_reg) labels_data_reg <= rd_data;
end

// --- deltas ---

wire           unused_delta_last;
wire           share_valid;
wire           share_ready;
wire [8*B-1:0] share_data;
wire           delta_ready;

generate
    if (SOFTMAX != 0) begin : g_softmax8
        wire softmax_ready;

        softmax8 #(
            .B(B),
            .FRAC(FRAC)
        ) unit (
            .clk(clk),
            .rst(rst),
            .last_class(last_class_reg),
            .s_valid(logit && softmax_reg),
            .s_ready(softmax_ready),
            .s_data(rd_data),
            .m_valid(share_valid),
            .m_ready(share_ready),
            .m_data(share_data)
        );

        assign share_ready = delta_ready && softmax_reg;
        assign logit_ready = softmax_reg ? softmax_ready : delta_ready;
    end else begin : g_no_softmax
        assign share_valid = 1'b0;
        assign share_ready = 1'b0;
        assign share_data = {8*B{1'b0}};
        assign logit_ready = delta_ready;

        wire unused = &{1'b0, share_ready};
    end
endgenerate

output_delta8 #(
    .B(B),
    .FRAC(FRAC),
    .DATA(DATA)
) pipe (
    .clk(clk),
    .rst(rst),
    .last_class(last_class_reg),
    .shares(softmax_reg),
    .s_valid(softmax_reg ? share_valid : logit),
    .s_ready(delta_ready),
    .s_data(softmax_reg ? share_data : rd_data),
    .label_valid(labels_reg),
    .label_ready(label_taken),
    .label_data(labels_data_reg),
    .m_valid(wr_valid),
    .m_ready(wr_ready),
    .m_data(wr_data),
    .m_last(unused_delta_last)
);

// --- end and errors ---

reg  [3:0] cause_next;
reg  [3:0] cause_reg;
reg        done_reg;
reg        error_reg;
wire       port_fault = (wr_done && wr_error != 2'd0) || (rd_valid && rd_error != 2'd0);
wire       fault = port_fault || (take && refused);

always @* begin
    cause_next = 4'd0;
    if (wr_done) cause_next = write_cause(wr_error);
    if (rd_valid && rd_error != 2'd0) cause_next = read_cause(rd_error);
    if (take && refused) cause_next = `ARRAY_CAUSE_FIELD;
end

always @(posedge clk) begin
    busy_reg <= take || (busy_reg && (failed_reg || port_fault || !wr_done));   // (while busy none is taken)
    failed_reg <= failed_reg || fault;
    labels_cmd_reg <= (take && !refused) || (labels_cmd_reg && !rd_cmd_ready);
    logits_cmd_reg <= (labels_cmd_reg && rd_cmd_ready) || (logits_cmd_reg && !(rd_cmd_ready && more_reg == 2'd0));
    deltas_cmd_reg <= (take && !refused) || (deltas_cmd_reg && !wr_cmd_ready);
    labels_reg <= (rd_good && !labels_reg) || (labels_reg && !label_taken);
    done_reg <= wr_done && !fault && !failed_reg;
    error_reg <= fault && !failed_reg;
    cause_reg <= cause_next;
    if (rst) begin
        busy_reg <= 1'b0;
        failed_reg <= 1'b0;
        labels_cmd_reg <= 1'b0;
        logits_cmd_reg <= 1'b0;
        deltas_cmd_reg <= 1'b0;
        labels_reg <= 1'b0;
        done_reg <= 1'b0;
        error_reg <= 1'b0;
    end
end

assign done = done_reg;
assign idle = !busy_reg;
assign error = error_reg;
assign error_cause = cause_reg;
assign error_index = index_reg;

wire unused = &{1'b0, `ARRAY_D_UNUSED_DELTA(d_data), rd_last, unused_delta_last};

endmodule
`resetall
