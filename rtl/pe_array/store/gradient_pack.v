// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
/*
 * Packs the gradients of each slot into words
 *
 * U lanes of memory, each written by any slot in any clock: a slot writes its n-th gradient to lane n mod U, one per
 * clock if no other slot is at that lane; slots that start together sort themselves out after a few clocks. In all, U
 * gradients are taken per clock. A word is complete when its last lane is written. Padding: while flush_valid of a slot
 * is high, it takes no gradients and writes zeros up to the end of its word, with quads up to that of the fourth word,
 * counted from the flush before; flush_ready is high when there is nothing (more) to pad.
 *
 * Words go out by request (take_*): a request is taken when its slot has a complete word and the output is free.
 *
 * Latency: a word can be requested 2 clocks after its last gradient was taken, and is at the output in the clock after
 * the request.
 */
module gradient_pack #(
    // Slots, 1 ... 64
    parameter P = 32,
    // Gradients per word, a power of two, 2 ... 16
    parameter U = 8,
    // Words of memory per slot, a power of two, at least 2
    parameter DEPTH = 16,
    // Bits of a slot number, and of a number of words (derived)
    parameter SW = P > 1 ? $clog2(P) : 1,
    parameter CW = $clog2(DEPTH + 1)
) (
    input  wire            clk,
    // Synchronous, active high: forgets everything
    input  wire            rst,

    // Gradients, signed 32 bits, a port per slot; ready depends on all valids
    input  wire [P-1:0]    s_valid,
    output wire [P-1:0]    s_ready,
    input  wire [P*32-1:0] s_data,

    // Padding goes up to a multiple of four words
    input  wire            quads,
    // End of a slot's gradients: held until ready, after the last of them was taken
    input  wire [P-1:0]    flush_valid,
    output wire [P-1:0]    flush_ready,

    // Complete words of each slot that nobody has requested
    output wire [P*CW-1:0] words,

    // Requests: a word of take_slot
    input  wire            take_valid,
    output wire            take_ready,
    input  wire [SW-1:0]   take_slot,

    // Words, the first gradient in the low bits
    output wire            m_valid,
    input  wire            m_ready,
    output wire [U*32-1:0] m_data
);

`REQUIRE(g_p, P >= 1 && P <= 64, ("%m: P = %0d must be 1 to 64", P))
`REQUIRE(g_u, U >= 2 && U <= 16 && (U & (U - 1)) == 0, ("%m: U = %0d must be a power of two, 2 to 16", U))
`REQUIRE(g_depth, DEPTH >= 2 && (DEPTH & (DEPTH - 1)) == 0,
         ("%m: DEPTH = %0d must be a power of two, at least 2", DEPTH))

// (with legal stand-ins where U and DEPTH are not, so that every simulator gets as far as the message)
localparam LW = U > 1 ? $clog2(U) : 1;
localparam WW = DEPTH > 1 ? $clog2(DEPTH) : 1;
localparam BANK_DEPTH = DEPTH > 1 ? DEPTH : 2;
localparam AW = $clog2(P*BANK_DEPTH);
localparam [31:0] FULL_WORD = DEPTH;
localparam [31:0] LAST_WORD = U - 1;
localparam [LW-1:0] LAST_LANE = LAST_WORD[LW-1:0];
localparam [LW-1:0] LANE_ONE = 1;
localparam [WW-1:0] WORD_ONE = 1;
localparam [CW-1:0] ONE = 1;
localparam [CW-1:0] TWO = 2;

// Lane that a slot writes next, its word, and whether it does
wire [P-1:0]    wants;
wire [P*LW-1:0] lane;
wire [P*WW-1:0] write_word;
wire [P*WW-1:0] read_word;
wire [P-1:0]    writes;
// Slots behind the one that a lane was granted last, of each lane; the slot is one of them, at its own lane
wire [U*P-1:0]  lane_behind;
wire [P-1:0]    behind;
wire [P-1:0]    has_word;
wire [P-1:0]    taken;

genvar r, s, b;

generate
    for (r = 0; r < P; r = r + 1) begin : g_slot
        reg  [LW-1:0] lane_reg;
        reg  [WW-1:0] write_reg;
        reg  [WW-1:0] read_reg;
        // Words since the last flush, modulo 4
        reg  [1:0]    quarter_reg;
        // They are not 0: the lane, the quarter
        reg           lane_begun_reg;
        reg           quarter_begun_reg;
        // Complete words, and one more that is complete in the next clock
        reg  [CW-1:0] count_reg;
        reg           complete_reg;
        // They are DEPTH words: a slot that has no room does not ask for a lane
        reg           full_reg;

        wire          nearly_full = count_reg == (complete_reg ? FULL_WORD[CW-1:0] - TWO : FULL_WORD[CW-1:0] - ONE);
        wire          begun = lane_begun_reg || (quads && quarter_begun_reg);
        // Slots at the same lane that are ahead of this one: every two slots are compared, for a chain through all of
        // them would make ready late
        wire [P-1:0]  ahead;
        wire          blocked = (wants & ahead) != {P{1'b0}};
        wire          write = wants[r] && !blocked;
        wire          completes = write && lane_reg == LAST_LANE;

        for (s = 0; s < P; s = s + 1) begin : g_ahead
            assign ahead[s] = s != r && lane[s*LW +: LW] == lane_reg
                              && (s < r ? behind[s] || !behind[r] : behind[s] && !behind[r]);
        end

        assign behind[r] = lane_behind[lane_reg*P + r];
        assign writes[r] = write;
        assign lane[r*LW +: LW] = lane_reg;
        assign write_word[r*WW +: WW] = write_reg;
        assign read_word[r*WW +: WW] = read_reg;
        assign wants[r] = !full_reg && (flush_valid[r] ? begun : s_valid[r]);
        assign s_ready[r] = s_valid[r] && !full_reg && !flush_valid[r] && !blocked;
        assign flush_ready[r] = flush_valid[r] && !begun;
        assign words[r*CW +: CW] = count_reg;
        assign has_word[r] = count_reg != {CW{1'b0}};
        assign taken[r] = take_valid && take_ready && take_slot == r[SW-1:0];

        always @(posedge clk) begin
            if (write) begin
                lane_reg <= lane_reg + LANE_ONE;
                lane_begun_reg <= lane_reg != LAST_LANE;
            end
            if (completes) write_reg <= write_reg + WORD_ONE;
            if (taken[r]) read_reg <= read_reg + WORD_ONE;
            if (completes) begin
                quarter_reg <= quarter_reg + 2'd1;
                quarter_begun_reg <= quarter_reg != 2'd3;
            end
            if (flush_ready[r]) begin
                quarter_reg <= 2'd0;
                quarter_begun_reg <= 1'b0;
            end
            complete_reg <= completes;
            full_reg <= !taken[r] && (full_reg || (completes && nearly_full));
            if (complete_reg && !taken[r]) count_reg <= count_reg + ONE;
            if (taken[r] && !complete_reg) count_reg <= count_reg - ONE;
            if (rst) begin
                lane_reg <= {LW{1'b0}};
                write_reg <= {WW{1'b0}};
                read_reg <= {WW{1'b0}};
                quarter_reg <= 2'd0;
                lane_begun_reg <= 1'b0;
                quarter_begun_reg <= 1'b0;
                count_reg <= {CW{1'b0}};
                complete_reg <= 1'b0;
                full_reg <= 1'b0;
            end
        end
    end
endgenerate

// Requests
reg          valid_reg;
reg          found;
reg [AW-1:0] read_address;
integer      n;

always @* begin
    found = 1'b0;
    read_address = {AW{1'b0}};
    for (n = 0; n < P; n = n + 1) begin
        if (take_slot == n[SW-1:0]) begin
            found = has_word[n];
            read_address = n[AW-1:0] * BANK_DEPTH[AW-1:0] | {{(AW-WW){1'b0}}, read_word[n*WW +: WW]};
        end
    end
end

wire read = take_valid && take_ready;

always @(posedge clk) begin
    if (rst) valid_reg <= 1'b0;
    else valid_reg <= read || (valid_reg && !m_ready);
end

assign take_ready = found && (!valid_reg || m_ready);
assign m_valid = valid_reg;

generate
    for (b = 0; b < U; b = b + 1) begin : g_bank
        wire [P-1:0] grant;

        for (r = 0; r < P; r = r + 1) begin : g_slot
            assign grant[r] = writes[r] && lane[r*LW +: LW] == b[LW-1:0];
        end

        gradient_bank #(
            .P(P),
            .DEPTH(BANK_DEPTH)
        ) bank (
            .clk(clk),
            .rst(rst),
            .grant(grant),
            .pads(flush_valid),
            .data(s_data),
            .word(write_word),
            .behind(lane_behind[b*P +: P]),
            .re(read),
            .raddr(read_address),
            .rdata(m_data[b*32 +: 32])
        );
    end
endgenerate

endmodule
`resetall
