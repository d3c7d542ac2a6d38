// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
/*
 * Command queue of a processing element and walk over a command's entries
 *
 * Two commands wait, one is being walked. In every clock with `go` (a tick) the walk makes one entry: first one per
 * word to clear, then the tap list once per element; an empty command makes one entry that does nothing. The next
 * command follows in the next tick. All outputs are registers; they keep their values without `go`.
 *
 * Latency: a command that is taken in clock c makes its first entry in clock c+2 where nothing is before it
 * (docs/pe_array/pe.md). cmd_valid/cmd_ready: cmd_ready is a register.
 */
module pe_walk #(
    // Width of a word address of X
    parameter XAW = 10,
    // Width of a word address of Y
    parameter YAW = 9,
    // Width of a byte address of W, word address in the upper bits
    parameter WBW = 14,
    // Width of a coordinate's address in E, word address in the upper bits
    parameter ECW = 10,
    // Width of an entry's address in T, word address in the upper bits
    parameter TEW = 9,
    // Bits of wbase, ebase and tbase: the upper ones of the addresses above
    parameter WAW = 9,
    parameter EAW = 6,
    parameter TAW = 6
) (
    input  wire           clk,
    input  wire           rst,

    input  wire           cmd_valid,
    output wire           cmd_ready,
    input  wire [1:0]     cmd_op,       // 0 MAC, 1 GRAD, 2 MAX, 3 UNPOOL
    input  wire           cmd_swap,     // 1: a coordinate's col is the output row
    input  wire [10:0]    cmd_clear,    // words of Y to clear, from ybase on
    input  wire [11:0]    cmd_elements, // elements
    input  wire [EAW-1:0] cmd_ebase,    // first word of E
    input  wire [WAW-1:0] cmd_wbase,    // first word of W
    input  wire [6:0]     cmd_wstride,  // bytes of W per element
    input  wire [TAW-1:0] cmd_tbase,    // first word of T
    input  wire [9:0]     cmd_taps,     // entries of the tap list, at least 1
    input  wire [XAW-1:0] cmd_xbase,    // first word of X
    input  wire [11:0]    cmd_xstride,  // words of X per channel
    input  wire [YAW-1:0] cmd_ybase,    // first word of Y
    input  wire [9:0]     cmd_ystride,  // words of Y per row
    input  wire [YAW-1:0] cmd_rbase,    // first word of Y for the results of UNPOOL

    input  wire           go,           // tick: the entry below is taken
    output wire           valid,        // there is an entry
    output wire           clear,        // it clears word ybase
    output wire           tap,          // it is an entry of the tap list; neither: it does nothing
    output wire           first,        // it is the first one of its command
    output wire           fence,        // it must wait until what is in flight has settled
    output wire           ends,        // it is the final one of its command
    output wire [1:0]     op,
    output wire           swap,
    output wire [ECW-1:0] epos,         // coordinate of the element
    output wire [TEW-1:0] tpos,         // tap entry
    output wire [WBW-1:0] wpos,         // the element's first byte of W
    output wire [XAW-1:0] xbase,
    output wire [XAW-1:0] xstride,      // modulo the depth of X
    output wire [YAW-1:0] ybase,        // with `clear`: the word to clear
    output wire [YAW-1:0] ystride,      // modulo the depth of Y
    output wire [YAW-1:0] rbase
);

localparam CMD = 2 + 1 + 11 + 12 + EAW + WAW + WBW + TAW + 10 + XAW + XAW + YAW + YAW + YAW;

// --- queue ---

// Strides count modulo the depths; the widths of both may be the larger one.
wire [XAW+11:0] wide_xstride = {{XAW{1'b0}}, cmd_xstride};
wire [YAW+9:0]  wide_ystride = {{YAW{1'b0}}, cmd_ystride};
wire [WBW+6:0]  wide_wstride = {{WBW{1'b0}}, cmd_wstride};
wire            unused = &{1'b0, wide_xstride[XAW+11:XAW], wide_ystride[YAW+9:YAW], wide_wstride[WBW+6:WBW]};

wire [CMD-1:0] cmd = {
    cmd_op, cmd_swap, cmd_clear, cmd_elements, cmd_ebase, cmd_wbase, wide_wstride[WBW-1:0], cmd_tbase, cmd_taps,
    cmd_xbase, wide_xstride[XAW-1:0], cmd_ybase, wide_ystride[YAW-1:0], cmd_rbase
};

reg  [1:0]     count_reg;
reg            ready_reg;
reg  [CMD-1:0] head_reg;
reg  [CMD-1:0] tail_reg;

wire       put  = cmd_valid && ready_reg;
wire       load;
wire [1:0] count_next = count_reg + {1'b0, put} - {1'b0, load};

always @(posedge clk) begin
    if (load || count_reg == 2'd0) head_reg <= count_reg == 2'd2 ? tail_reg : cmd;
    if (put) tail_reg <= cmd;

    count_reg <= count_next;
    ready_reg <= count_next != 2'd2;
    if (rst) begin
        count_reg <= 2'd0;
        ready_reg <= 1'b0;
    end
end

assign cmd_ready = ready_reg;

wire [1:0]     next_op;
wire           next_swap;
wire [10:0]    next_clear;
wire [11:0]    next_elements;
wire [EAW-1:0] next_ebase;
wire [WAW-1:0] next_wbase;
wire [WBW-1:0] next_wstride;
wire [TAW-1:0] next_tbase;
wire [9:0]     next_taps;
wire [XAW-1:0] next_xbase;
wire [XAW-1:0] next_xstride;
wire [YAW-1:0] next_ybase;
wire [YAW-1:0] next_ystride;
wire [YAW-1:0] next_rbase;

assign {
    next_op, next_swap, next_clear, next_elements, next_ebase, next_wbase, next_wstride, next_tbase, next_taps,
    next_xbase, next_xstride, next_ybase, next_ystride, next_rbase
} = head_reg;

// --- walk ---

reg           valid_reg;
reg           clear_reg;
reg           tap_reg;
reg           first_reg;
reg           fence_reg;
reg  [1:0]    op_reg;
reg           swap_reg;
reg  [10:0]   clear_left_reg;
reg  [11:0]   elements_left_reg;
reg  [9:0]    taps_left_reg;
reg  [9:0]    taps_reg;
reg           clear_end_reg;     // clear_left_reg is 1
reg           no_elements_reg;   // elements_left_reg was 0 from the start
reg           one_element_reg;   // elements_left_reg is 1
reg           list_end_reg;      // taps_left_reg is 1
reg           one_tap_reg;       // taps_reg is 1
reg [ECW-1:0] epos_reg;
reg [TEW-1:0] tpos_reg;
reg [TAW-1:0] tbase_reg;
reg [WBW-1:0] wpos_reg;
reg [WBW-1:0] wstride_reg;
reg [XAW-1:0] xbase_reg;
reg [XAW-1:0] xstride_reg;
reg [YAW-1:0] yclear_reg;
reg [YAW-1:0] ybase_reg;
reg [YAW-1:0] ystride_reg;
reg [YAW-1:0] rbase_reg;

// Where the counters will be is known a tick ahead: `go` comes late, and little may follow it.
assign ends = clear_reg ? clear_end_reg && no_elements_reg : !tap_reg || (list_end_reg && one_element_reg);
assign load = go && (ends || !valid_reg) && count_reg != 2'd0;

always @(posedge clk) begin
    if (load) begin
        clear_reg         <= next_clear != 11'd0;
        tap_reg           <= next_clear == 11'd0 && next_elements != 12'd0;
        first_reg         <= 1'b1;
        fence_reg         <= next_op != op_reg;
        op_reg            <= next_op;
        swap_reg          <= next_swap;
        clear_left_reg    <= next_clear;
        elements_left_reg <= next_elements;
        taps_left_reg     <= next_taps;
        taps_reg          <= next_taps;
        clear_end_reg     <= next_clear == 11'd1;
        no_elements_reg   <= next_elements == 12'd0;
        one_element_reg   <= next_elements == 12'd1;
        list_end_reg      <= next_taps == 10'd1;
        one_tap_reg       <= next_taps == 10'd1;
        epos_reg          <= {next_ebase, {(ECW-EAW){1'b0}}};
        wpos_reg          <= {next_wbase, {(WBW-WAW){1'b0}}};
        wstride_reg       <= next_wstride;
        tbase_reg         <= next_tbase;
        xbase_reg         <= next_xbase;
        xstride_reg       <= next_xstride;
        yclear_reg        <= next_ybase;
        ybase_reg         <= next_ybase;
        ystride_reg       <= next_ystride;
        rbase_reg         <= next_rbase;
    end else if (go) begin
        first_reg <= 1'b0;
        fence_reg <= clear_reg && clear_end_reg && op_reg[0];
        if (clear_reg) begin
            clear_left_reg <= clear_left_reg - 11'd1;
            clear_end_reg  <= clear_left_reg == 11'd2;
            yclear_reg     <= yclear_reg + {{(YAW-1){1'b0}}, 1'b1};
            clear_reg      <= !clear_end_reg;
            tap_reg        <= clear_end_reg;
        end else if (list_end_reg) begin
            taps_left_reg     <= taps_reg;
            list_end_reg      <= one_tap_reg;
            elements_left_reg <= elements_left_reg - 12'd1;
            one_element_reg   <= elements_left_reg == 12'd2;
            epos_reg          <= epos_reg + {{(ECW-1){1'b0}}, 1'b1};
            wpos_reg          <= wpos_reg + wstride_reg;
        end else begin
            taps_left_reg <= taps_left_reg - 10'd1;
            list_end_reg  <= taps_left_reg == 10'd2;
        end
    end

    // tbase may be as wide as the address itself (one entry per word)
    if (load) tpos_reg <= first_entry(next_tbase);
    else if (go && !clear_reg) tpos_reg <= list_end_reg ? first_entry(tbase_reg) : tpos_reg + {{(TEW-1){1'b0}}, 1'b1};

    if (load) valid_reg <= 1'b1;
    else if (go && ends) valid_reg <= 1'b0;

    if (rst) begin
        valid_reg <= 1'b0;
        op_reg    <= 2'd0;
    end
end

function [TEW-1:0] first_entry(input [TAW-1:0] base);
    integer i;
    begin
        first_entry = {TEW{1'b0}};
        for (i = 0; i < TAW; i = i + 1) first_entry[TEW-TAW+i] = base[i];
    end
endfunction

assign valid   = valid_reg;
assign clear   = clear_reg;
assign tap     = tap_reg;
assign first   = first_reg;
assign fence   = fence_reg;
assign op      = op_reg;
assign swap    = swap_reg;
assign epos    = epos_reg;
assign tpos    = tpos_reg;
assign wpos    = wpos_reg;
assign xbase   = xbase_reg;
assign xstride = xstride_reg;
assign ybase   = clear_reg ? yclear_reg : ybase_reg;
assign ystride = ystride_reg;
assign rbase   = rbase_reg;

endmodule
`resetall
