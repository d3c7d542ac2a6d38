// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
`include "descriptors.vh"
/*
 * Processing element: B MACs that walk sparse kernels over the pixel words of B images
 *
 * Commands name elements (coordinates in E, weights in W), a tap list (T), and where pixels (X) and accumulators (Y)
 * are; docs/pe_array/pe.md has the operations, formats and clocks. One tap is issued per clock, without a bubble
 * between elements and between queued commands.
 *
 * Latency: 6 clocks from drain_read, which is always obeyed, to its word; models/pe_array/clocks/pe.py has all clocks.
 *
 * Handshakes: cmd and gradients valid/ready; loads valid/ready, only loads to Y are ever not ready.
 */
module pe #(
    // Batch lanes (MACs), bytes of a memory word: a power of two, 4 ... 64
    parameter B = 32,
    // Bits of an accumulator, 16 ... 48
    parameter ACC = 32,
    // Words of X (2 ... 4096), Y (2 ... 1024), W, E, T (2 ... 4096), each a power of two
    parameter X_DEPTH = 1024,
    parameter Y_DEPTH = 512,
    parameter W_DEPTH = 512,
    parameter E_DEPTH = 64,
    parameter T_DEPTH = 64,
    // Words of W, E or T that can be loaded in a clock, 1 or 2
    parameter WIDE = 1,
    // Widths of their addresses (derived)
    parameter XAW = $clog2(X_DEPTH),
    parameter YAW = $clog2(Y_DEPTH),
    parameter WAW = $clog2(W_DEPTH),
    parameter EAW = $clog2(E_DEPTH),
    parameter TAW = $clog2(T_DEPTH)
) (
    input  wire             clk,
    input  wire             rst,           // drops commands and gradients, keeps the memories

    // Command
    input  wire             cmd_valid,
    output wire             cmd_ready,
    input  wire [1:0]       cmd_op,        // 0 MAC, 1 GRAD, 2 MAX, 3 UNPOOL
    input  wire             cmd_swap,      // 1: a coordinate's col is the output row
    input  wire [10:0]      cmd_clear,     // words of Y to clear first, from ybase on
    input  wire [11:0]      cmd_elements,  // elements
    input  wire [EAW-1:0]   cmd_ebase,     // first word of E
    input  wire [WAW-1:0]   cmd_wbase,     // first word of W
    input  wire [6:0]       cmd_wstride,   // bytes of W per element
    input  wire [TAW-1:0]   cmd_tbase,     // first word of T
    input  wire [9:0]       cmd_taps,      // entries of the tap list, at least 1
    input  wire [XAW-1:0]   cmd_xbase,     // first word of X
    input  wire [11:0]      cmd_xstride,   // words of X per channel
    input  wire [YAW-1:0]   cmd_ybase,     // first word of Y
    input  wire [9:0]       cmd_ystride,   // words of Y per row
    input  wire [YAW-1:0]   cmd_rbase,     // first word of Y for the results of UNPOOL

    // Loads, one word, or of a stream two that follow each other
    input  wire             load_valid,
    output wire             load_ready,
    input  wire [2:0]       load_select,   // 0 X, 1 Y, 2 W, 3 E, 4 T
    input  wire [11:0]      load_addr,     // word; bits above the depth are ignored
    input  wire [B*8-1:0]   load_data,     // bytes for X and Y
    input  wire             load_pair,     // W, E, T: two words (with WIDE = 2)
    input  wire [WIDE*B*8-1:0] load_stream, // bytes for W, E and T; the second word in the high bits
    input  wire [3:0]       load_shift,    // Y: bits to the left

    // Drain of Y
    input  wire             drain_read,
    input  wire [YAW-1:0]   drain_addr,
    output wire             drain_valid,   // 6 clocks after drain_read
    output wire [B*ACC-1:0] drain_data,    // accumulators

    // Weight gradients, in the order of the elements and their list's `last` entries
    output wire             grad_valid,
    input  wire             grad_ready,
    output wire [31:0]      grad_data,     // signed

    output wire             done,          // what is loaded or drained after it comes behind a command's writes
    output wire             idle,          // no command is in the PE
    output wire             busy,          // an entry is issued
    output wire             stall          // an entry waits
);

`REQUIRE(g_b, B == 4 || B == 8 || B == 16 || B == 32 || B == 64, ("%m: B = %0d must be a power of two, 4 to 64", B))
`REQUIRE(g_acc, ACC >= 16 && ACC <= 48, ("%m: ACC = %0d must be 16 to 48", ACC))
`REQUIRE(g_x, X_DEPTH >= 2 && X_DEPTH <= 4096 && 1 << XAW == X_DEPTH,
         ("%m: X_DEPTH = %0d must be a power of two, 2 to 4096", X_DEPTH))
`REQUIRE(g_y, Y_DEPTH >= 2 && Y_DEPTH <= 1024 && 1 << YAW == Y_DEPTH,
         ("%m: Y_DEPTH = %0d must be a power of two, 2 to 1024", Y_DEPTH))
`REQUIRE(g_w, W_DEPTH >= 2 && W_DEPTH <= 4096 && 1 << WAW == W_DEPTH,
         ("%m: W_DEPTH = %0d must be a power of two, 2 to 4096", W_DEPTH))
`REQUIRE(g_e, E_DEPTH >= 2 && E_DEPTH <= 4096 && 1 << EAW == E_DEPTH,
         ("%m: E_DEPTH = %0d must be a power of two, 2 to 4096", E_DEPTH))
`REQUIRE(g_t, T_DEPTH >= 2 && T_DEPTH <= 4096 && 1 << TAW == T_DEPTH,
         ("%m: T_DEPTH = %0d must be a power of two, 2 to 4096", T_DEPTH))

`REQUIRE(g_wide, WIDE == 1 || WIDE == 2, ("%m: WIDE = %0d must be 1 or 2", WIDE))

// Gradients between issue and port: enough for one per clock if the port takes them at once
localparam GRADIENTS = 16;

// --- loads: one clock in registers, so that B bytes for many PEs are no long wire ---

reg           load_x_reg;
reg           load_y_reg;
reg           load_w_reg;
reg           load_e_reg;
reg           load_t_reg;
reg [11:0]    load_addr_reg;
reg [B*8-1:0] load_data_reg;
reg [WIDE*B*8-1:0] load_stream_reg;
reg           load_pair_reg;
reg [3:0]     load_shift_reg;

// A stream as its memories' banks have it: the word of the even address in the low half
wire [WIDE*B*8-1:0] banks;

generate
    if (WIDE == 2) begin : g_swap
        assign banks = load_addr[0] ? {load_stream[0 +: B*8], load_stream[B*8 +: B*8]} : load_stream;
    end else begin : g_swap
        assign banks = load_stream;
    end
endgenerate

wire d0_write;
wire load = load_valid && load_ready;

assign load_ready = !(load_select == `ARRAY_MEMORY_Y && d0_write);

always @(posedge clk) begin
    load_x_reg      <= load && load_select == `ARRAY_MEMORY_X;
    load_y_reg      <= load && load_select == `ARRAY_MEMORY_Y;
    load_w_reg      <= load && load_select == `ARRAY_MEMORY_W;
    load_e_reg      <= load && load_select == `ARRAY_MEMORY_E;
    load_t_reg      <= load && load_select == `ARRAY_MEMORY_T;
    load_addr_reg   <= load_addr;
    load_data_reg   <= load_data;
    load_pair_reg   <= load_pair;
    load_stream_reg <= banks;
    load_shift_reg  <= load_shift;
    if (rst) begin
        load_x_reg <= 1'b0;
        load_y_reg <= 1'b0;
        load_w_reg <= 1'b0;
        load_e_reg <= 1'b0;
        load_t_reg <= 1'b0;
    end
end

// --- commands to entries ---

localparam WBW = WAW + $clog2(B);
localparam ECW = EAW + $clog2(B/2);
localparam TEW = TAW + $clog2(B/4);

wire           go;
wire           walk_valid, walk_clear, walk_tap, walk_first, walk_fence, walk_ends, walk_swap;
wire [1:0]     walk_op;
wire [ECW-1:0] walk_epos;
wire [TEW-1:0] walk_tpos;
wire [WBW-1:0] walk_wpos;
wire [XAW-1:0] walk_xbase, walk_xstride;
wire [YAW-1:0] walk_ybase, walk_ystride, walk_rbase;

pe_walk #(
    .XAW(XAW),
    .YAW(YAW),
    .WBW(WBW),
    .ECW(ECW),
    .TEW(TEW),
    .WAW(WAW),
    .EAW(EAW),
    .TAW(TAW)
) walk (
    .clk(clk),
    .rst(rst),
    .cmd_valid(cmd_valid),
    .cmd_ready(cmd_ready),
    .cmd_op(cmd_op),
    .cmd_swap(cmd_swap),
    .cmd_clear(cmd_clear),
    .cmd_elements(cmd_elements),
    .cmd_ebase(cmd_ebase),
    .cmd_wbase(cmd_wbase),
    .cmd_wstride(cmd_wstride),
    .cmd_tbase(cmd_tbase),
    .cmd_taps(cmd_taps),
    .cmd_xbase(cmd_xbase),
    .cmd_xstride(cmd_xstride),
    .cmd_ybase(cmd_ybase),
    .cmd_ystride(cmd_ystride),
    .cmd_rbase(cmd_rbase),
    .go(go),
    .valid(walk_valid),
    .clear(walk_clear),
    .tap(walk_tap),
    .first(walk_first),
    .fence(walk_fence),
    .ends(walk_ends),
    .op(walk_op),
    .swap(walk_swap),
    .epos(walk_epos),
    .tpos(walk_tpos),
    .wpos(walk_wpos),
    .xbase(walk_xbase),
    .xstride(walk_xstride),
    .ybase(walk_ybase),
    .ystride(walk_ystride),
    .rbase(walk_rbase)
);

wire           entry_valid, entry_clear, entry_skip, entry_last, entry_fence, entry_ends;
wire [1:0]     entry_op;
wire [XAW-1:0] entry_xaddr;
wire [YAW-1:0] entry_yaddr, entry_raddr;
wire [6:0]     entry_woff;
wire [7:0]     weight;

pe_address #(
    .B(B),
    .XAW(XAW),
    .YAW(YAW),
    .WAW(WAW),
    .EAW(EAW),
    .TAW(TAW),
    .WIDE(WIDE)
) address (
    .clk(clk),
    .rst(rst),
    .load_w(load_w_reg),
    .load_e(load_e_reg),
    .load_t(load_t_reg),
    .load_addr(load_addr_reg),
    .load_pair(load_pair_reg),
    .load_data(load_stream_reg),
    .go(go),
    .in_valid(walk_valid),
    .in_clear(walk_clear),
    .in_tap(walk_tap),
    .in_first(walk_first),
    .in_fence(walk_fence),
    .in_ends(walk_ends),
    .in_op(walk_op),
    .in_swap(walk_swap),
    .in_epos(walk_epos),
    .in_tpos(walk_tpos),
    .in_wpos(walk_wpos),
    .in_xbase(walk_xbase),
    .in_xstride(walk_xstride),
    .in_ybase(walk_ybase),
    .in_ystride(walk_ystride),
    .in_rbase(walk_rbase),
    .valid(entry_valid),
    .clear(entry_clear),
    .skip(entry_skip),
    .last(entry_last),
    .fence(entry_fence),
    .ends(entry_ends),
    .op(entry_op),
    .xaddr(entry_xaddr),
    .yaddr(entry_yaddr),
    .raddr(entry_raddr),
    .woff(entry_woff),
    .weight(weight)
);

// --- issue ---

wire [XAW-1:0] x_raddr;
wire           y_re;
wire [YAW-1:0] y_raddr;
wire           d0_skip, d0_first, d0_fresh, d0_clear, d2_write, d3_gradient;
wire [1:0]     d0_op;
wire [7:0]     d0_value;
wire [YAW-1:0] d2_waddr;

pe_issue #(
    .XAW(XAW),
    .YAW(YAW),
    .GRADIENTS(GRADIENTS)
) issue_stage (
    .clk(clk),
    .rst(rst),
    .go(go),
    .in_valid(entry_valid),
    .in_clear(entry_clear),
    .in_skip(entry_skip),
    .in_last(entry_last),
    .in_fence(entry_fence),
    .in_ends(entry_ends),
    .in_op(entry_op),
    .in_xaddr(entry_xaddr),
    .in_yaddr(entry_yaddr),
    .in_raddr(entry_raddr),
    .in_woff(entry_woff),
    .weight(weight),
    .drain_read(drain_read),
    .drain_addr(drain_addr),
    .grad_taken(grad_valid && grad_ready),
    .busy(busy),
    .stall(stall),
    .x_raddr(x_raddr),
    .y_re(y_re),
    .y_raddr(y_raddr),
    .drain_valid(drain_valid),
    .d0_op(d0_op),
    .d0_skip(d0_skip),
    .d0_first(d0_first),
    .d0_fresh(d0_fresh),
    .d0_clear(d0_clear),
    .d0_value(d0_value),
    .d0_write(d0_write),
    .d2_write(d2_write),
    .d2_waddr(d2_waddr),
    .d3_gradient(d3_gradient),
    .done(done)
);

// --- pixels, lanes, accumulators ---

wire [B*8-1:0]    x_word;
wire [B*ACC-1:0]  y_word;
wire [B*ACC-1:0]  result;
wire [B*16-1:0]   products;

ram_sdp #(
    .WIDTH(B * 8),
    .DEPTH(1 << XAW),
    .OUT(1),
    .OLD(0)
) x_ram (
    .clk(clk),
    .we(load_x_reg),
    .waddr(load_addr_reg[XAW-1:0]),
    .wdata(load_data_reg),
    .re(1'b1),
    .raddr(x_raddr),
    .rdata(x_word)
);

reg           load2_y_reg;
reg [YAW-1:0] load2_addr_reg;
reg           y_we_reg;
reg [YAW-1:0] y_waddr_reg;

always @(posedge clk) begin
    load2_y_reg    <= load_y_reg;
    load2_addr_reg <= load_addr_reg[YAW-1:0];
    y_we_reg       <= d2_write || load2_y_reg;
    y_waddr_reg    <= load2_y_reg ? load2_addr_reg : d2_waddr;
    if (rst) begin
        load2_y_reg <= 1'b0;
        y_we_reg    <= 1'b0;
    end
end

ram_sdp #(
    .WIDTH(B * ACC),
    .DEPTH(1 << YAW),
    .OUT(1),
    .OLD(0)
) y_ram (
    .clk(clk),
    .we(y_we_reg),
    .waddr(y_waddr_reg),
    .wdata(result),
    .re(y_re),
    .raddr(y_raddr),
    .rdata(y_word)
);

assign drain_data = y_word;

genvar n;
generate
    for (n = 0; n < B; n = n + 1) begin : g_lane
        wire [ACC-1:0] sum;

        mac_lane #(
            .ACC(ACC)
        ) lane (
            .clk(clk),
            .x(x_word[n*8 +: 8]),
            .op(d0_op),
            .skip(d0_skip),
            .first(d0_first || d0_op == `ARRAY_OP_GRAD),
            .fresh(d0_fresh),
            .clear(d0_clear),
            .value(d0_value),
            .y(y_word[n*ACC +: ACC]),
            .load_valid(load_y_reg),
            .load_byte(load_data_reg[n*8 +: 8]),
            .load_shift(load_shift_reg),
            .sum(sum),
            .result(result[n*ACC +: ACC])
        );

        wire unused_high = &{1'b0, sum};

        assign products[n*16 +: 16] = sum[15:0];
    end
endgenerate

pe_gradients #(
    .B(B),
    .DEPTH(GRADIENTS)
) gradients (
    .clk(clk),
    .rst(rst),
    .products(products),
    .d0_first(d0_first),
    .d3_last(d3_gradient),
    .grad_valid(grad_valid),
    .grad_ready(grad_ready),
    .grad_data(grad_data)
);

// --- commands taken and not done: at most 3 before the issue stage, one per entry on the way ---

reg [5:0] commands_reg;
reg       idle_reg;

wire       taken         = cmd_valid && cmd_ready;
wire [5:0] commands_next = commands_reg + {5'd0, taken} - {5'd0, done};

always @(posedge clk) begin
    commands_reg <= commands_next;
    idle_reg     <= commands_next == 6'd0;
    if (rst) begin
        commands_reg <= 6'd0;
        idle_reg     <= 1'b1;
    end
end

assign idle = idle_reg;

endmodule
`resetall
