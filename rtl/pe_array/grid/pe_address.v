// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "descriptors.vh"
/*
 * Tap lists, coordinates, weights and addresses of a processing element
 *
 * Holds the memories E (coordinates), T (tap lists) and W (weights), each with a register behind it. For every entry of
 * the walk it reads coordinate and tap, computes the addresses of X and Y and picks the weight byte.
 *
 * Latency: 5 ticks (clocks with `go`) from the walk's entry to the outputs, one entry per tick; nothing moves in other
 * clocks. Only the weight comes later, when its entry has been issued: 2 clocks after the tick behind the one in which
 * the entry was at the outputs. Loads are written at once, whatever `go` is.
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
    // Words of W, E or T that a load can have, 1 or 2
    parameter WIDE = 1,
    // Width of a byte address of W, of a coordinate's address in E and of an entry's address in T (derived)
    parameter WBW = WAW + $clog2(B),
    parameter ECW = EAW + $clog2(B/2),
    parameter TEW = TAW + $clog2(B/4)
) (
    input  wire           clk,
    input  wire           rst,

    // Load: one word of W, E or T, or with load_pair two
    input  wire           load_w,
    input  wire           load_e,
    input  wire           load_t,
    input  wire [11:0]    load_addr,    // word; bits above the depth are ignored
    input  wire           load_pair,
    // (with WIDE = 2 the word of the even address in the low half)
    input  wire [WIDE*B*8-1:0] load_data,

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
    output wire [6:0]     woff,         // number of the weight in its element
    output wire [7:0]     weight        // MAC: the weight, 2 clocks after the entry was issued
);

localparam BW = $clog2(B);

wire unused = &{1'b0, load_addr};

// --- 1, 2: words of E and T, read at the walk's addresses, and in their registers ---

wire [B*8-1:0] e_word;
wire [B*8-1:0] t_word;

stream_ram #(
    .B(B),
    .DEPTH(1 << EAW),
    .BLOCK(1),
    .WIDE(WIDE)
) e_ram (
    .clk(clk),
    .we(load_e),
    .pair(load_pair),
    .waddr(load_addr[EAW-1:0]),
    .wdata(load_data),
    .re(go),
    .raddr(in_epos[ECW-1 -: EAW]),
    .rdata(e_word)
);

stream_ram #(
    .B(B),
    .DEPTH(1 << TAW),
    .WIDE(WIDE)
) t_ram (
    .clk(clk),
    .we(load_t),
    .pair(load_pair),
    .waddr(load_addr[TAW-1:0]),
    .wdata(load_data),
    .re(go),
    .raddr(in_tpos[TEW-1 -: TAW]),
    .rdata(t_word)
);

// What the walk says of an entry, with the places of coordinate and tap in their words
localparam WALK = 8 + BW - 1 + WBW + 2*XAW + 3*YAW;

reg  [2:1]      valid_reg;
reg  [WALK-1:0] walk1_reg;
reg  [WALK-1:0] walk2_reg;

always @(posedge clk) begin
    if (go) begin
        valid_reg <= {valid_reg[1], in_valid};
        walk1_reg <= {
            in_clear, in_tap, in_first, in_fence, in_ends, in_op, in_swap, in_epos[BW-2:0], in_wpos, in_xbase,
            in_xstride, in_ybase, in_ystride, in_rbase
        };
        walk2_reg <= walk1_reg;
    end
    if (rst) valid_reg <= 2'd0;
end

wire           clear2, tap2, first2, fence2, ends2, swap2;
wire [1:0]     op2;
wire [BW-2:0]  place2;
wire [WBW-1:0] wpos2;
wire [XAW-1:0] xbase2, xstride2;
wire [YAW-1:0] ybase2, ystride2, rbase2;

assign {
    clear2, tap2, first2, fence2, ends2, op2, swap2, place2, wpos2, xbase2, xstride2, ybase2, ystride2, rbase2
} = walk2_reg;

wire [15:0] coordinate = e_word[{place2, 4'd0} +: 16];
wire [31:0] entry;

generate
    if (B > 4) begin : g_entry
        reg [BW-3:0] place1_reg;
        reg [BW-3:0] place2_reg;

        always @(posedge clk) begin
            if (go) begin
                place1_reg <= in_tpos[BW-3:0];
                place2_reg <= place1_reg;
            end
        end

        assign entry = t_word[{place2_reg, 5'd0} +: 32];
    end else begin : g_entry
        assign entry = t_word;
    end
endgenerate

wire unused_bit = entry[31];

// --- 3: coordinate and tap; zeros where there is no tap ---

reg           valid3_reg;
reg           clear3_reg;
reg           first3_reg;
reg           fence3_reg;
reg           ends3_reg;
reg [1:0]     op3_reg;
reg [7:0]     in3_reg;
reg [7:0]     out3_reg;
reg [30:0]    entry3_reg;
reg [WBW-1:0] wpos3_reg;
reg [XAW-1:0] xbase3_reg;
reg [XAW-1:0] xstride3_reg;
reg [YAW-1:0] ybase3_reg;
reg [YAW-1:0] ystride3_reg;
reg [YAW-1:0] rbase3_reg;

always @(posedge clk) begin
    if (go) begin
        valid3_reg   <= valid_reg[2];
        clear3_reg   <= clear2;
        first3_reg   <= first2;
        fence3_reg   <= fence2;
        ends3_reg    <= ends2;
        op3_reg      <= op2;
        in3_reg      <= swap2 ? coordinate[15:8] : coordinate[7:0];
        out3_reg     <= !tap2 ? 8'd0 : swap2 ? coordinate[7:0] : coordinate[15:8];
        entry3_reg   <= tap2 ? entry[30:0] : {1'b1, 30'd0};
        wpos3_reg    <= wpos2;
        xbase3_reg   <= xbase2;
        xstride3_reg <= xstride2;
        ybase3_reg   <= ybase2;
        ystride3_reg <= ystride2;
        rbase3_reg   <= rbase2;
    end
    if (rst) valid3_reg <= 1'b0;
end

// --- 4: products and sums, modulo the depths ---

// Either side of a sum may be the wider one.
wire [XAW+11:0] tap_x   = {{XAW{1'b0}}, entry3_reg[11:0]};
wire [WBW+6:0]  tap_w   = {{WBW{1'b0}}, entry3_reg[18:12]};
wire [YAW+9:0]  tap_y   = {{YAW{1'b0}}, entry3_reg[28:19]};
wire [XAW+7:0]  channel = {{XAW{1'b0}}, in3_reg};
wire [YAW+7:0]  row     = {{YAW{1'b0}}, out3_reg};
wire            unused_high = &{
    1'b0, tap_x[XAW+11:XAW], tap_w[WBW+6:WBW], tap_y[YAW+9:YAW], channel[XAW+7:XAW], row[YAW+7:YAW]
};

reg           valid4_reg;
reg           clear4_reg;
reg           skip4_reg;
reg           last4_reg;
reg           first4_reg;
reg           fence4_reg;
reg           ends4_reg;
reg [1:0]     op4_reg;
reg [6:0]     woff4_reg;
reg [WBW-1:0] wpos4_reg;
reg [XAW-1:0] xprod4_reg;
reg [XAW-1:0] xsum4_reg;
reg [YAW-1:0] yprod4_reg;
reg [YAW-1:0] ysum4_reg;
reg [YAW-1:0] rbase4_reg;

always @(posedge clk) begin
    if (go) begin
        valid4_reg <= valid3_reg;
        clear4_reg <= clear3_reg;
        skip4_reg  <= entry3_reg[30];
        last4_reg  <= entry3_reg[29];
        first4_reg <= first3_reg;
        fence4_reg <= fence3_reg;
        ends4_reg  <= ends3_reg;
        op4_reg    <= op3_reg;
        woff4_reg  <= entry3_reg[18:12];
        wpos4_reg  <= wpos3_reg + tap_w[WBW-1:0];
        xprod4_reg <= channel[XAW-1:0] * xstride3_reg;
        xsum4_reg  <= xbase3_reg + tap_x[XAW-1:0];
        yprod4_reg <= row[YAW-1:0] * ystride3_reg;
        ysum4_reg  <= ybase3_reg + tap_y[YAW-1:0];
        rbase4_reg <= rbase3_reg;
    end
    if (rst) valid4_reg <= 1'b0;
end

// --- 5: addresses; the word of W is read ---

wire [B*8-1:0] w_word;

stream_ram #(
    .B(B),
    .DEPTH(1 << WAW),
    .WIDE(WIDE)
) w_ram (
    .clk(clk),
    .we(load_w),
    .pair(load_pair),
    .waddr(load_addr[WAW-1:0]),
    .wdata(load_data),
    .re(go),
    .raddr(wpos4_reg[WBW-1 -: WAW]),
    .rdata(w_word)
);

reg           valid5_reg;
reg           clear5_reg;
reg           skip5_reg;
reg           last5_reg;
reg           first5_reg;
reg           fence5_reg;
reg           ends5_reg;
reg [1:0]     op5_reg;
reg [6:0]     woff5_reg;
reg [BW-1:0]  byte5_reg;
reg [XAW-1:0] xaddr5_reg;
reg [YAW-1:0] yaddr5_reg;
reg [YAW-1:0] rbase5_reg;

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
        byte5_reg  <= wpos4_reg[BW-1:0];
        xaddr5_reg <= xprod4_reg + xsum4_reg;
        yaddr5_reg <= yprod4_reg + ysum4_reg;
        rbase5_reg <= rbase4_reg;
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
assign woff  = woff5_reg;

// Results of UNPOOL go to one word after the other
reg  [YAW-1:0] result_reg;
wire [YAW-1:0] result = first5_reg ? rbase5_reg : result_reg;

always @(posedge clk) if (go && valid5_reg) result_reg <= result + {{(YAW-1){1'b0}}, last5_reg};

assign raddr = op5_reg == `ARRAY_OP_UNPOOL && !clear5_reg ? result : yaddr5_reg;

// --- 6 and behind it: the word of W, of every four bytes the one, the weight among them ---

reg  [BW-1:0]  byte6_reg;
reg  [B*2-1:0] bytes_reg;
reg  [7:0]     weight_reg;
wire [B*2-1:0] bytes;

always @(posedge clk) begin
    if (go) byte6_reg <= byte5_reg;
    bytes_reg <= bytes;
end

genvar k;
generate
    for (k = 0; k < B / 4; k = k + 1) begin : g_byte
        wire [31:0] four = w_word[32*k +: 32];
        assign bytes[8*k +: 8] = four[{byte6_reg[1:0], 3'd0} +: 8];
    end
    if (B > 4) begin : g_weight
        reg [BW-3:0] place_reg;
        always @(posedge clk) begin
            place_reg  <= byte6_reg[BW-1:2];
            weight_reg <= bytes_reg[{place_reg, 3'd0} +: 8];
        end
    end else begin : g_weight
        always @(posedge clk) weight_reg <= bytes_reg;
    end
endgenerate

assign weight = weight_reg;

endmodule
`resetall
