// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "descriptors.vh"
/*
 * Tap lists, coordinates, weights and addresses of a processing element
 *
 * Holds the memories E (coordinates), T (tap lists) and W (weights). For every entry of the walk it reads coordinate
 * and tap, computes the addresses of X and Y and picks the weight byte.
 *
 * Latency: 5 ticks (clocks with `go`) from the walk's entry to the outputs, one entry per tick; nothing moves in other
 * clocks. Loads are written at once, whatever `go` is.
 */
module pe_address #(
    // Batch lanes, bytes of a memory word: a power of two, at least 4
    parameter B = 32,
    // Width of a word address of X, of Y, of W, of E and of T
    parameter XAW = 10,
    parameter YAW = 9,
    parameter WAW = 9,
    parameter EAW = 6,
    parameter TAW = 6,
    // Width of a byte address of W, of a coordinate's address in E and of an entry's address in T (derived)
    parameter WBW = WAW + $clog2(B),
    parameter ECW = EAW + $clog2(B/2),
    parameter TEW = TAW + $clog2(B/4)
) (
    input  wire           clk,
    input  wire           rst,

    // Load: one word of W, E or T
    input  wire           load_w,
    input  wire           load_e,
    input  wire           load_t,
    input  wire [11:0]    load_addr,    // word; bits above the depth are ignored
    input  wire [B*8-1:0] load_data,

    input  wire           go,           // tick
    // An entry of the walk: see pe_walk
    input  wire           in_valid,
    input  wire           in_clear,
    input  wire           in_tap,
    input  wire           in_first,
    input  wire           in_fence,
    input  wire           in_ends,
    input  wire [1:0]     in_op,
    input  wire           in_swap,
    input  wire [ECW-1:0] in_epos,
    input  wire [TEW-1:0] in_tpos,
    input  wire [WBW-1:0] in_wpos,
    input  wire [XAW-1:0] in_xbase,
    input  wire [XAW-1:0] in_xstride,
    input  wire [YAW-1:0] in_ybase,
    input  wire [YAW-1:0] in_ystride,
    input  wire [YAW-1:0] in_rbase,

    output wire           valid,        // there is an entry, 5 ticks after the walk had it
    output wire           clear,        // it clears the word raddr of Y
    output wire           skip,         // it contributes nothing to its sum (null, clear or empty)
    output wire           last,         // its sum ends here
    output wire           fence,        // it waits until what is in flight has settled
    output wire           ends,         // it is the final entry of its command
    output wire [1:0]     op,
    output wire [XAW-1:0] xaddr,        // pixel word
    output wire [YAW-1:0] yaddr,        // Y word that it reads
    output wire [YAW-1:0] raddr,        // Y word that the result of `last` goes to
    output wire [7:0]     value         // MAC: weight; else woff
);

localparam BW = $clog2(B);

wire unused = &{1'b0, load_addr};

// --- 1: words of E and T, read at the walk's addresses ---

wire [B*8-1:0] e_word;
wire [B*8-1:0] t_word;

ram_sdp #(
    .WIDTH(B * 8),
    .DEPTH(1 << EAW),
    .BLOCK(1)
) e_ram (
    .clk(clk),
    .we(load_e),
    .waddr(load_addr[EAW-1:0]),
    .wdata(load_data),
    .re(go),
    .raddr(in_epos[ECW-1 -: EAW]),
    .rdata(e_word)
);

ram_sdp #(
    .WIDTH(B * 8),
    .DEPTH(1 << TAW)
) t_ram (
    .clk(clk),
    .we(load_t),
    .waddr(load_addr[TAW-1:0]),
    .wdata(load_data),
    .re(go),
    .raddr(in_tpos[TEW-1 -: TAW]),
    .rdata(t_word)
);

reg           valid1_reg;
reg           clear1_reg;
reg           tap1_reg;
reg           first1_reg;
reg           fence1_reg;
reg           ends1_reg;
reg [1:0]     op1_reg;
reg           swap1_reg;
reg [BW-2:0]  coordinate1_reg;
reg [WBW-1:0] wpos1_reg;
reg [XAW-1:0] xbase1_reg;
reg [XAW-1:0] xstride1_reg;
reg [YAW-1:0] ybase1_reg;
reg [YAW-1:0] ystride1_reg;
reg [YAW-1:0] rbase1_reg;

always @(posedge clk) begin
    if (go) begin
        valid1_reg      <= in_valid;
        clear1_reg      <= in_clear;
        tap1_reg        <= in_tap;
        first1_reg      <= in_first;
        fence1_reg      <= in_fence;
        ends1_reg       <= in_ends;
        op1_reg         <= in_op;
        swap1_reg       <= in_swap;
        coordinate1_reg <= in_epos[BW-2:0];
        wpos1_reg       <= in_wpos;
        xbase1_reg      <= in_xbase;
        xstride1_reg    <= in_xstride;
        ybase1_reg      <= in_ybase;
        ystride1_reg    <= in_ystride;
        rbase1_reg      <= in_rbase;
    end
    if (rst) valid1_reg <= 1'b0;
end

wire [15:0] coordinate = e_word[{coordinate1_reg, 4'd0} +: 16];
wire [31:0] entry;

generate
    if (B > 4) begin : g_entry
        reg [BW-3:0] entry1_reg;
        always @(posedge clk) if (go) entry1_reg <= in_tpos[BW-3:0];
        assign entry = t_word[{entry1_reg, 5'd0} +: 32];
    end else begin : g_entry
        assign entry = t_word;
    end
endgenerate

wire unused_bit = entry[31];

// --- 2: coordinate and tap; zeros where there is no tap ---

reg           valid2_reg;
reg           clear2_reg;
reg           first2_reg;
reg           fence2_reg;
reg           ends2_reg;
reg [1:0]     op2_reg;
reg [7:0]     in2_reg;
reg [7:0]     out2_reg;
reg [30:0]    entry2_reg;
reg [WBW-1:0] wpos2_reg;
reg [XAW-1:0] xbase2_reg;
reg [XAW-1:0] xstride2_reg;
reg [YAW-1:0] ybase2_reg;
reg [YAW-1:0] ystride2_reg;
reg [YAW-1:0] rbase2_reg;

always @(posedge clk) begin
    if (go) begin
        valid2_reg   <= valid1_reg;
        clear2_reg   <= clear1_reg;
        first2_reg   <= first1_reg;
        fence2_reg   <= fence1_reg;
        ends2_reg    <= ends1_reg;
        op2_reg      <= op1_reg;
        in2_reg      <= swap1_reg ? coordinate[15:8] : coordinate[7:0];
        out2_reg     <= !tap1_reg ? 8'd0 : swap1_reg ? coordinate[7:0] : coordinate[15:8];
        entry2_reg   <= tap1_reg ? entry[30:0] : {1'b1, 30'd0};
        wpos2_reg    <= wpos1_reg;
        xbase2_reg   <= xbase1_reg;
        xstride2_reg <= xstride1_reg;
        ybase2_reg   <= ybase1_reg;
        ystride2_reg <= ystride1_reg;
        rbase2_reg   <= rbase1_reg;
    end
    if (rst) valid2_reg <= 1'b0;
end

// --- 3: products and sums, modulo the depths ---

// Either side of a sum may be the wider one.
wire [XAW+11:0] xoff    = {{XAW{1'b0}}, entry2_reg[11:0]};
wire [WBW+6:0]  woff    = {{WBW{1'b0}}, entry2_reg[18:12]};
wire [YAW+9:0]  yoff    = {{YAW{1'b0}}, entry2_reg[28:19]};
wire [XAW+7:0]  channel = {{XAW{1'b0}}, in2_reg};
wire [YAW+7:0]  row     = {{YAW{1'b0}}, out2_reg};
wire            unused_high = &{
    1'b0, xoff[XAW+11:XAW], woff[WBW+6:WBW], yoff[YAW+9:YAW], channel[XAW+7:XAW], row[YAW+7:YAW]
};

reg           valid3_reg;
reg           clear3_reg;
reg           skip3_reg;
reg           last3_reg;
reg           first3_reg;
reg           fence3_reg;
reg           ends3_reg;
reg [1:0]     op3_reg;
reg [6:0]     woff3_reg;
reg [WBW-1:0] wpos3_reg;
reg [XAW-1:0] xprod3_reg;
reg [XAW-1:0] xsum3_reg;
reg [YAW-1:0] yprod3_reg;
reg [YAW-1:0] ysum3_reg;
reg [YAW-1:0] rbase3_reg;

always @(posedge clk) begin
    if (go) begin
        valid3_reg <= valid2_reg;
        clear3_reg <= clear2_reg;
        skip3_reg  <= entry2_reg[30];
        last3_reg  <= entry2_reg[29];
        first3_reg <= first2_reg;
        fence3_reg <= fence2_reg;
        ends3_reg  <= ends2_reg;
        op3_reg    <= op2_reg;
        woff3_reg  <= entry2_reg[18:12];
        wpos3_reg  <= wpos2_reg + woff[WBW-1:0];
        xprod3_reg <= channel[XAW-1:0] * xstride2_reg;
        xsum3_reg  <= xbase2_reg + xoff[XAW-1:0];
        yprod3_reg <= row[YAW-1:0] * ystride2_reg;
        ysum3_reg  <= ybase2_reg + yoff[YAW-1:0];
        rbase3_reg <= rbase2_reg;
    end
    if (rst) valid3_reg <= 1'b0;
end

// --- 4: addresses; the word of W ---

wire [B*8-1:0] w_word;

ram_sdp #(
    .WIDTH(B * 8),
    .DEPTH(1 << WAW)
) w_ram (
    .clk(clk),
    .we(load_w),
    .waddr(load_addr[WAW-1:0]),
    .wdata(load_data),
    .re(go),
    .raddr(wpos3_reg[WBW-1 -: WAW]),
    .rdata(w_word)
);

reg           valid4_reg;
reg           clear4_reg;
reg           skip4_reg;
reg           last4_reg;
reg           first4_reg;
reg           fence4_reg;
reg           ends4_reg;
reg [1:0]     op4_reg;
reg [6:0]     woff4_reg;
reg [BW-1:0]  byte4_reg;
reg [XAW-1:0] xaddr4_reg;
reg [YAW-1:0] yaddr4_reg;
reg [YAW-1:0] rbase4_reg;

always @(posedge clk) begin
    if (go) begin
        valid4_reg <= valid3_reg;
        clear4_reg <= clear3_reg;
        skip4_reg  <= skip3_reg;
        last4_reg  <= last3_reg;
        first4_reg <= first3_reg;
        fence4_reg <= fence3_reg;
        ends4_reg  <= ends3_reg;
        op4_reg    <= op3_reg;
        woff4_reg  <= woff3_reg;
        byte4_reg  <= wpos3_reg[BW-1:0];
        xaddr4_reg <= xprod3_reg + xsum3_reg;
        yaddr4_reg <= yprod3_reg + ysum3_reg;
        rbase4_reg <= rbase3_reg;
    end
    if (rst) valid4_reg <= 1'b0;
end

// --- 5: of every four bytes of W the one, the weight among them ---

reg           valid5_reg;
reg           clear5_reg;
reg           skip5_reg;
reg           last5_reg;
reg           first5_reg;
reg           fence5_reg;
reg           ends5_reg;
reg [1:0]     op5_reg;
reg [6:0]     woff5_reg;
reg [XAW-1:0] xaddr5_reg;
reg [YAW-1:0] yaddr5_reg;
reg [YAW-1:0] rbase5_reg;
reg [B*2-1:0] bytes5_reg;
reg [YAW-1:0] result_reg;

wire [B*2-1:0] bytes;
wire [7:0]     weight;
wire           unpool = op5_reg == `ARRAY_OP_UNPOOL && !clear5_reg;
wire [YAW-1:0] result = first5_reg ? rbase5_reg : result_reg;

genvar k;
generate
    for (k = 0; k < B / 4; k = k + 1) begin : g_byte
        wire [31:0] four = w_word[32*k +: 32];
        assign bytes[8*k +: 8] = four[{byte4_reg[1:0], 3'd0} +: 8];
    end
    if (B > 4) begin : g_weight
        reg [BW-3:0] byte5_reg;
        always @(posedge clk) if (go) byte5_reg <= byte4_reg[BW-1:2];
        assign weight = bytes5_reg[{byte5_reg, 3'd0} +: 8];
    end else begin : g_weight
        assign weight = bytes5_reg;
    end
endgenerate

always @(posedge clk) begin
    if (go) begin
        valid5_reg <= valid4_reg;
        clear5_reg <= clear4_reg;
        skip5_reg  <= skip4_reg;
        last5_reg  <= last4_reg;
        first5_reg <= first4_reg;
        fence5_reg <= fence4_reg;
        ends5_reg  <= ends4_reg;
        op5_reg    <= op4_reg;
        woff5_reg  <= woff4_reg;
        xaddr5_reg <= xaddr4_reg;
        yaddr5_reg <= yaddr4_reg;
        rbase5_reg <= rbase4_reg;
        bytes5_reg <= bytes;
        if (valid5_reg) result_reg <= result + {{(YAW-1){1'b0}}, last5_reg};
    end
    if (rst) valid5_reg <= 1'b0;
end

assign valid = valid5_reg;
assign clear = clear5_reg;
assign skip  = skip5_reg;
assign last  = last5_reg;
assign fence = fence5_reg;
assign ends  = ends5_reg;
assign op    = op5_reg;
assign xaddr = xaddr5_reg;
assign yaddr = yaddr5_reg;
assign raddr = unpool ? result : yaddr5_reg;
assign value = op5_reg == `ARRAY_OP_MAC ? weight : {1'b0, woff5_reg};

endmodule
`resetall
