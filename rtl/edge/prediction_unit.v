// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
/*
 * Output activations to AXI4-Stream predictions with the class they mean
 *
 * The engine's groups of LANES output activations pass a tree that finds the largest of the first CLASSES
 * outputs (the lowest index wins), then wait in a FIFO until their frame is complete. The engine cannot wait:
 * `out_room` says that one more frame may be admitted, counted from the admission of a sample to the last
 * beat of its prediction.
 *
 * Latency: `predicted` follows the last group of a frame by clog2(LANES) + 1 clocks, the stream by 2 more.
 * A soft reset forgets what is not complete; complete frames still come out.
 */
module prediction_unit #(
    // Width of an activation in bits, signed
    parameter WIDTH = 12,
    // Activations per group (P of the last junction)
    parameter LANES = 2,
    // Groups per frame (G of the last junction)
    parameter GROUPS = 5,
    // Outputs that are classes: 1 to LANES*GROUPS
    parameter CLASSES = 10,
    // Frames that may be on their way from admission to the last beat
    parameter FRAMES = 5,
    // Width of a lane of the stream in bits (derived)
    parameter LB = 8*((WIDTH + 7)/8)
) (
    input  wire                   clk,
    input  wire                   rst,            // hard reset
    input  wire                   soft_rst,       // forget incomplete frames

    input  wire                   admit,          // pulse: a sample enters the engine
    output wire                   out_room,       // one more may enter

    input  wire                   out_valid,
    input  wire [LANES*WIDTH-1:0] out_data,
    input  wire                   out_last,
    input  wire [15:0]            out_label,      // with out_last; below CLASSES

    output wire [LANES*LB-1:0]    m_axis_tdata,   // sign-extended
    output wire                   m_axis_tvalid,
    input  wire                   m_axis_tready,
    output wire                   m_axis_tlast,
    output wire [31:0]            m_axis_tuser,   // last beat: {label, class}, 0 on others

    output wire                   predicted,      // pulse: a frame is complete
    output wire                   correct         // with predicted: its class is its label
);

localparam LEVELS = $clog2(LANES);
localparam LEAVES = 1 << LEVELS;
localparam CW = CLASSES > 1 ? $clog2(CLASSES) : 1;
localparam IW = $clog2(LANES*GROUPS + 1);
localparam FW = $clog2(FRAMES + 1);
localparam SIDE = LANES*WIDTH + 1 + 1 + CW;

// Group counter
reg  [IW-1:0] base_reg;  // index of lane 0
wire          reset = rst || soft_rst;

always @(posedge clk) begin
    if (out_valid) begin
        base_reg <= out_last ? {IW{1'b0}} : base_reg + LANES[IW-1:0];
    end
    if (reset) begin
        base_reg <= {IW{1'b0}};
    end
end

// Tree of maxima. Node 1 is the root, node n has the children 2n and 2n+1, the leaves LEAVES to 2*LEAVES-1
// are the lanes. Every other node is a register. Classes come first, so a node whose left child is not a
// class has no class at all.
wire [2*LEAVES-1:1]           node_ok;
wire [2*LEAVES*WIDTH-1:WIDTH] node_value;
wire [2*LEAVES*CW-1:CW]       node_index;

genvar n;

generate
    for (n = 0; n < LEAVES; n = n + 1) begin : g_leaf
        if (n < LANES) begin : g_lane
            wire [31:0] index = {{32-IW{1'b0}}, base_reg} + n;
            assign node_ok[LEAVES+n] = index < CLASSES;
            assign node_value[(LEAVES+n)*WIDTH +: WIDTH] = out_data[n*WIDTH +: WIDTH];
            assign node_index[(LEAVES+n)*CW +: CW] = index[CW-1:0];
        end else begin : g_none
            assign node_ok[LEAVES+n] = 1'b0;
            assign node_value[(LEAVES+n)*WIDTH +: WIDTH] = {WIDTH{1'b0}};
            assign node_index[(LEAVES+n)*CW +: CW] = {CW{1'b0}};
        end
    end

    for (n = 1; n < LEAVES; n = n + 1) begin : g_node
        reg                     ok_reg;
        reg signed [WIDTH-1:0]  value_reg;
        reg        [CW-1:0]     index_reg;
        wire signed [WIDTH-1:0] left = node_value[2*n*WIDTH +: WIDTH];
        wire signed [WIDTH-1:0] right = node_value[(2*n+1)*WIDTH +: WIDTH];
        wire                    use_right = node_ok[2*n+1] && right > left;

        always @(posedge clk) begin
            ok_reg <= node_ok[2*n];
            value_reg <= use_right ? right : left;
            index_reg <= use_right ? node_index[(2*n+1)*CW +: CW] : node_index[2*n*CW +: CW];
        end

        assign node_ok[n] = ok_reg;
        assign node_value[n*WIDTH +: WIDTH] = value_reg;
        assign node_index[n*CW +: CW] = index_reg;
    end
endgenerate

// What goes beside the tree
wire                   tree_valid;
wire [SIDE-1:0]        tree_side;
wire [LANES*WIDTH-1:0] tree_data;
wire                   tree_first;
wire                   tree_last;
wire [CW-1:0]          tree_label;

delay_line #(
    .WIDTH(1),
    .DEPTH(LEVELS),
    .RESET(1)
) valid_delay (
    .clk(clk),
    .rst(reset),
    .d(out_valid && !reset),
    .q(tree_valid)
);

delay_line #(
    .WIDTH(SIDE),
    .DEPTH(LEVELS)
) side_delay (
    .clk(clk),
    .rst(reset),
    .d({out_data, base_reg == {IW{1'b0}}, out_last, out_label[CW-1:0]}),
    .q(tree_side)
);

generate
    if (CW < 16) begin : g_label
        wire unused = &{1'b0, out_label[15:CW]};
    end
endgenerate

assign {tree_data, tree_first, tree_last, tree_label} = tree_side;

// Maximum over the groups so far
reg signed [WIDTH-1:0]       best_value_reg;
reg        [CW-1:0]          best_index_reg;
reg                          word_valid_reg;
reg                          word_last_reg;
reg        [CW-1:0]          word_label_reg;
reg        [LANES*WIDTH-1:0] word_data_reg;

wire signed [WIDTH-1:0] root_value = node_value[WIDTH +: WIDTH];
wire        [CW-1:0]    root_index = node_index[CW +: CW];
wire                    root_wins = tree_first || (node_ok[1] && root_value > best_value_reg);

always @(posedge clk) begin
    word_valid_reg <= tree_valid;
    word_last_reg <= tree_last;
    word_label_reg <= tree_label;
    word_data_reg <= tree_data;
    if (tree_valid && root_wins) begin
        best_value_reg <= root_value;
        best_index_reg <= root_index;
    end
    if (reset) begin
        word_valid_reg <= 1'b0;
    end
end

wire word_write = word_valid_reg && !reset;

assign predicted = word_write && word_last_reg;
assign correct = predicted && best_index_reg == word_label_reg;

// Frames wait here until they are complete
wire [CW-1:0]          m_label;
wire [CW-1:0]          m_class;
wire [LANES*WIDTH-1:0] m_data;
wire                   frame_done;

frame_fifo #(
    .WIDTH(2*CW + LANES*WIDTH),
    .DEPTH(FRAMES*GROUPS)
) fifo (
    .clk(clk),
    .rst(rst),
    .flush(soft_rst),
    .s_valid(word_write),
    .s_data({word_label_reg, best_index_reg, word_data_reg}),
    .s_last(word_last_reg),
    .m_valid(m_axis_tvalid),
    .m_ready(m_axis_tready),
    .m_data({m_label, m_class, m_data}),
    .m_last(m_axis_tlast),
    .frame_done(frame_done)
);

genvar l;

generate
    for (l = 0; l < LANES; l = l + 1) begin : g_out
        if (LB > WIDTH) begin : g_extend
            assign m_axis_tdata[l*LB +: LB] = {{LB-WIDTH{m_data[l*WIDTH+WIDTH-1]}}, m_data[l*WIDTH +: WIDTH]};
        end else begin : g_same
            assign m_axis_tdata[l*LB +: LB] = m_data[l*WIDTH +: WIDTH];
        end
    end
endgenerate

assign m_axis_tuser = m_axis_tlast ? {{16-CW{1'b0}}, m_label, {16-CW{1'b0}}, m_class} : 32'd0;

// Room
reg [FW-1:0] held_reg;      // complete frames in the FIFO
reg [FW-1:0] promised_reg;  // frames admitted and not yet sent

wire [FW-1:0] held_next = held_reg + {{FW-1{1'b0}}, predicted} - {{FW-1{1'b0}}, frame_done};

always @(posedge clk) begin
    held_reg <= held_next;
    promised_reg <= promised_reg + {{FW-1{1'b0}}, admit} - {{FW-1{1'b0}}, frame_done};
    if (soft_rst) begin
        promised_reg <= held_next;
    end
    if (rst) begin
        held_reg <= {FW{1'b0}};
        promised_reg <= {FW{1'b0}};
    end
end

assign out_room = {{32-FW{1'b0}}, promised_reg} < FRAMES;

endmodule
`resetall
