// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
`include "descriptors.vh"
/*
 * Grid of processing elements: P PEs with their loads, commands, drain and sums of gradients
 *
 * docs/pe_array/grid.md. Maps go through map_load to X and Y of the PEs whose windows want them; stream beats
 * to W, E, T of the PEs of a mask, without ever waiting; a command to all PEs, each with fields of its own that were
 * set before; accumulators come back through tile_drain, gradients through gradient_sum.
 *
 * Latency: a stream beat is in its memory's port STAGES clocks after it was taken (`streamed`: none is on its way). A
 * command that is taken in clock c is offered to all PEs from c+1 on; cmd_ready and set_ready fall until all have taken
 * it. `done` pulses 2 clocks after the last PE's.
 */
module pe_grid #(
    // PEs, a power of two, 1 ... 64
    parameter P = 32,
    // Parameters of a PE, see pe.v
    parameter B = 32,
    parameter ACC = 32,
    parameter X_DEPTH = 1024,
    parameter Y_DEPTH = 512,
    parameter W_DEPTH = 512,
    parameter E_DEPTH = 64,
    parameter T_DEPTH = 64,
    // Words of a beat of maps and streams, 1 or 2
    parameter WIDE = 1,
    // Registers of the broadcast of maps and streams, at least 1
    parameter STAGES = 2,
    // Beats of maps that can wait at a PE, at least STAGES + 5
    parameter MAP_DEPTH = 16,
    // Partial gradients that can wait per PE, at least 2
    parameter GRAD_DEPTH = 16,
    // Widths of addresses and of the number of a PE, bits of tiles_log2 (derived)
    parameter XAW = $clog2(X_DEPTH),
    parameter YAW = $clog2(Y_DEPTH),
    parameter WAW = $clog2(W_DEPTH),
    parameter EAW = $clog2(E_DEPTH),
    parameter SW = P > 1 ? $clog2(P) : 1,
    parameter GW = P > 1 ? $clog2($clog2(P) + 1) : 1
) (
    input  wire             clk,
    input  wire             rst,               // synchronous, active high: forgets all but memories, windows and fields

    input  wire             window_valid,      // write a register of a window, while map_idle
    input  wire [SW-1:0]    window_pe,
    input  wire [2:0]       window_select,     // see map_load
    input  wire [23:0]      window_data,

    input  wire             map_cmd_valid,     // map load, see map_raster
    output wire             map_cmd_ready,
    input  wire [`ARRAY_MAP_CMD_BITS-1:0] map_cmd,
    output wire             map_cmd_error,     // pulse: a command was illegal
    output wire             map_done,          // pulse: all PEs have all of a map load
    output wire             map_idle,
    input  wire             map_valid,
    output wire             map_ready,
    input  wire             map_pair,          // the next word is there too (with WIDE = 2)
    output wire             map_both,          // with map_ready and map_pair: both are taken
    input  wire [WIDE*8*B-1:0] map_data,       // pixel word, and above it the next one

    input  wire             stream_valid,      // a beat, always taken
    input  wire [1:0]       stream_select,     // 0 W, 1 E, 2 T
    input  wire [P-1:0]     stream_pes,        // PEs that get it
    input  wire [11:0]      stream_addr,       // word; bits above the depth are ignored
    input  wire             stream_pair,       // two words (with WIDE = 2)
    input  wire [WIDE*8*B-1:0] stream_data,    // bytes, the second word in the high bits
    output wire             streamed,          // no beat is on its way

    input  wire             set_valid,         // write a field of the commands that follow
    output wire             set_ready,
    input  wire [P-1:0]     set_pes,           // of these PEs
    input  wire [2:0]       set_field,         // 0 elements, 1 clear, 2 taps, 3 tbase, 4 xstride, 5 ystride
    input  wire [11:0]      set_value,

    input  wire             cmd_valid,         // command for all PEs, see pe.v
    output wire             cmd_ready,
    input  wire [1:0]       cmd_op,
    input  wire             cmd_swap,
    input  wire [EAW-1:0]   cmd_ebase,
    input  wire [WAW-1:0]   cmd_wbase,
    input  wire [6:0]       cmd_wstride,
    input  wire [XAW-1:0]   cmd_xbase,
    input  wire [YAW-1:0]   cmd_ybase,
    input  wire [YAW-1:0]   cmd_rbase,
    output wire             done,              // pulse: all PEs have finished a command
    output wire             idle,              // no command is inside

    input  wire             drain_cmd_valid,   // drain, see tile_drain
    output wire             drain_cmd_ready,
    input  wire [`ARRAY_DRAIN_CMD_BITS-1:0] drain_cmd,
    output wire             drain_cmd_error,   // pulse: a command was illegal
    output wire             drain_idle,
    output wire             drain_valid,
    input  wire             drain_ready,
    output wire [B*ACC-1:0] drain_data,        // accumulators, image 0 in the low bits
    output wire             drain_last,        // final word of a command

    input  wire [GW-1:0]    tiles_log2,        // log2 of the PEs of a slot; changes only while all slots are empty
    output wire [P-1:0]     grad_valid,        // sums of the gradients of each slot
    input  wire [P-1:0]     grad_ready,
    output wire [P*32-1:0]  grad_data,         // signed
    output wire [P-1:0]     grad_empty,        // nothing of the slot is in the sums

    output wire [P-1:0]     busy_pes,          // PEs that issue an entry
    output wire [P-1:0]     stall_pes          // PEs in which an entry waits
);

`REQUIRE(g_p, P >= 1 && P <= 64 && (P & (P - 1)) == 0, ("%m: P = %0d must be a power of two, 1 to 64", P))

// --- loads ---

wire [P-1:0]     load_valid;
wire [P-1:0]     load_ready;
wire [3*P-1:0]   load_select;
wire [12*P-1:0]  load_addr;
wire [8*B*P-1:0] load_data;
wire [4*P-1:0]   load_shift;

map_load #(
    .P(P),
    .B(B),
    .STAGES(STAGES),
    .DEPTH(MAP_DEPTH),
    .WIDE(WIDE)
) maps (
    .clk(clk),
    .rst(rst),
    .set_valid(window_valid),
    .set_pe(window_pe),
    .set_select(window_select),
    .set_data(window_data),
    .cmd_valid(map_cmd_valid),
    .cmd_ready(map_cmd_ready),
    .cmd(map_cmd),
    .cmd_error(map_cmd_error),
    .done(map_done),
    .s_valid(map_valid),
    .s_ready(map_ready),
    .s_pair(map_pair),
    .s_both(map_both),
    .s_data(map_data),
    .load_valid(load_valid),
    .load_ready(load_ready),
    .load_select(load_select),
    .load_addr(load_addr),
    .load_data(load_data),
    .load_shift(load_shift),
    .idle(map_idle)
);

reg  [STAGES-1:0] on_way_reg;
wire [P-1:0]      beat_pes;
wire [1:0]        beat_select;
wire [11:0]       beat_addr;
wire              beat_pair;
wire [WIDE*8*B-1:0] beat_data;

wire [STAGES:0] on_way = {on_way_reg, stream_valid};
wire            unused_on_way = on_way[STAGES];

always @(posedge clk) begin
    on_way_reg <= on_way[STAGES-1:0];
    if (rst) on_way_reg <= {STAGES{1'b0}};
end

assign streamed = on_way_reg == {STAGES{1'b0}};

delay_line #(
    .WIDTH(P),
    .DEPTH(STAGES),
    .RESET(1)
) pes_line (
    .clk(clk),
    .rst(rst),
    .d(stream_pes & {P{stream_valid}}),
    .q(beat_pes)
);

delay_line #(
    .WIDTH(WIDE*8*B + 15),
    .DEPTH(STAGES)
) stream_line (
    .clk(clk),
    .rst(rst),
    .d({stream_select, stream_addr, stream_pair, stream_data}),
    .q({beat_select, beat_addr, beat_pair, beat_data})
);

// --- commands ---

reg [P-1:0]   offer_reg;   // PEs that have not taken the command
reg [1:0]     op_reg;
reg           swap_reg;
reg [EAW-1:0] ebase_reg;
reg [WAW-1:0] wbase_reg;
reg [6:0]     wstride_reg;
reg [XAW-1:0] xbase_reg;
reg [YAW-1:0] ybase_reg;
reg [YAW-1:0] rbase_reg;
reg           ready_reg;
reg           done_reg;

wire [P-1:0] taken;
wire [P-1:0] ahead;
wire [P-1:0] cell_idle;
wire         take = cmd_valid && ready_reg;
wire [P-1:0] offer_next = take ? {P{1'b1}} : offer_reg & ~taken;
wire         finish = &ahead;

always @(posedge clk) begin
    if (take) begin
        op_reg <= cmd_op;
        swap_reg <= cmd_swap;
        ebase_reg <= cmd_ebase;
        wbase_reg <= cmd_wbase;
        wstride_reg <= cmd_wstride;
        xbase_reg <= cmd_xbase;
        ybase_reg <= cmd_ybase;
        rbase_reg <= cmd_rbase;
    end
    offer_reg <= offer_next;
    ready_reg <= offer_next == {P{1'b0}};
    done_reg <= finish;
    if (rst) begin
        offer_reg <= {P{1'b0}};
        ready_reg <= 1'b1;
        done_reg <= 1'b0;
    end
end

assign cmd_ready = ready_reg;
assign set_ready = ready_reg;
assign done = done_reg;
assign idle = ready_reg && &cell_idle && ahead == {P{1'b0}} && !done_reg;

// --- PEs ---

wire [P-1:0]       drain_read;
wire [YAW-1:0]     drain_addr;
wire [P*B*ACC-1:0] drain_words;
wire [P-1:0]       part_valid;
wire [P-1:0]       part_ready;
wire [P*32-1:0]    part_data;

genvar p;

generate
    for (p = 0; p < P; p = p + 1) begin : g_pe
        pe_cell #(
            .B(B),
            .ACC(ACC),
            .X_DEPTH(X_DEPTH),
            .Y_DEPTH(Y_DEPTH),
            .W_DEPTH(W_DEPTH),
            .E_DEPTH(E_DEPTH),
            .T_DEPTH(T_DEPTH),
            .WIDE(WIDE)
        ) place (
            .clk(clk),
            .rst(rst),
            .set_valid(set_valid && ready_reg && set_pes[p]),
            .set_field(set_field),
            .set_value(set_value),
            .offer(offer_reg[p]),
            .taken(taken[p]),
            .cmd_op(op_reg),
            .cmd_swap(swap_reg),
            .cmd_ebase(ebase_reg),
            .cmd_wbase(wbase_reg),
            .cmd_wstride(wstride_reg),
            .cmd_xbase(xbase_reg),
            .cmd_ybase(ybase_reg),
            .cmd_rbase(rbase_reg),
            .stream_valid(beat_pes[p]),
            .stream_select(beat_select),
            .stream_addr(beat_addr),
            .stream_pair(beat_pair),
            .stream_data(beat_data),
            .map_valid(load_valid[p]),
            .map_ready(load_ready[p]),
            .map_select(load_select[3*p +: 3]),
            .map_addr(load_addr[12*p +: 12]),
            .map_data(load_data[8*B*p +: 8*B]),
            .map_shift(load_shift[4*p +: 4]),
            .drain_read(drain_read[p]),
            .drain_addr(drain_addr),
            .drain_data(drain_words[B*ACC*p +: B*ACC]),
            .grad_valid(part_valid[p]),
            .grad_ready(part_ready[p]),
            .grad_data(part_data[32*p +: 32]),
            .ahead(ahead[p]),
            .finish(finish),
            .idle(cell_idle[p]),
            .busy(busy_pes[p]),
            .stall(stall_pes[p])
        );
    end
endgenerate

// --- what comes out ---

tile_drain #(
    .P(P),
    .B(B),
    .ACC(ACC),
    .YAW(YAW)
) drain (
    .clk(clk),
    .rst(rst),
    .cmd_valid(drain_cmd_valid),
    .cmd_ready(drain_cmd_ready),
    .cmd(drain_cmd),
    .cmd_error(drain_cmd_error),
    .drain_read(drain_read),
    .drain_addr(drain_addr),
    .drain_data(drain_words),
    .m_valid(drain_valid),
    .m_ready(drain_ready),
    .m_data(drain_data),
    .m_last(drain_last),
    .idle(drain_idle)
);

gradient_sum #(
    .P(P),
    .DEPTH(GRAD_DEPTH)
) sums (
    .clk(clk),
    .rst(rst),
    .group_log2(tiles_log2),
    .s_valid(part_valid),
    .s_ready(part_ready),
    .s_data(part_data),
    .m_valid(grad_valid),
    .m_ready(grad_ready),
    .m_data(grad_data),
    .slot_empty(grad_empty)
);

endmodule
`resetall
