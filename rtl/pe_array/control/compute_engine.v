// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
`include "descriptors.vh"
/*
 * Compute engine: SET and COMPUTE descriptors to the grid
 *
 * docs/pe_array/program.md. A descriptor is taken into a register and offered to the grid from there. A GRAD command
 * with another number of PEs per slot than the GRAD command before waits until the grid is idle and no gradient is in
 * the sums (both for 7 clocks, in which a last gradient gets from its PE to the sums), then tiles_log2 changes.
 *
 * Latency: 1 clock from d_* to set_valid or cmd_valid, one descriptor per clock that the grid takes. If tiles_log2
 * changes, cmd_valid comes 7 clocks after the first quiet one. error 1 clock after an illegal descriptor was taken,
 * which goes nowhere.
 */
module compute_engine #(
    // Parameters of the grid, see pe_grid.v
    parameter P = 32,
    parameter X_DEPTH = 1024,
    parameter Y_DEPTH = 512,
    parameter W_DEPTH = 512,
    parameter E_DEPTH = 64,
    // Widths of addresses and of tiles_log2 (derived)
    parameter XAW = $clog2(X_DEPTH),
    parameter YAW = $clog2(Y_DEPTH),
    parameter WAW = $clog2(W_DEPTH),
    parameter EAW = $clog2(E_DEPTH),
    parameter GW = P > 1 ? $clog2($clog2(P) + 1) : 1
) (
    input  wire           clk,
    input  wire           rst,          // synchronous, active high: forgets everything

    input  wire           d_valid,      // SET and COMPUTE descriptors, see op_queue
    output wire           d_ready,
    input  wire [255:0]   d_data,
    input  wire [23:0]    d_index,
    output wire           done,         // pulse: a COMPUTE is done
    output wire           idle,         // nothing begun and not done
    output wire           error,        // pulse
    output wire [3:0]     error_cause,  // 2: illegal field
    output wire [23:0]    error_index,  // with error: descriptor

    output wire           set_valid,    // to the grid's ports of the same names
    input  wire           set_ready,
    output wire [P-1:0]   set_pes,
    output wire [2:0]     set_field,
    output wire [11:0]    set_value,
    output wire           cmd_valid,
    input  wire           cmd_ready,
    output wire [1:0]     cmd_op,
    output wire           cmd_swap,
    output wire [EAW-1:0] cmd_ebase,
    output wire [WAW-1:0] cmd_wbase,
    output wire [6:0]     cmd_wstride,
    output wire [XAW-1:0] cmd_xbase,
    output wire [YAW-1:0] cmd_ybase,
    output wire [YAW-1:0] cmd_rbase,
    input  wire           grid_done,
    input  wire           grid_idle,
    output wire [GW-1:0]  tiles_log2,   // log2 of the PEs of a slot, for the sums of gradients
    input  wire [P-1:0]   grad_empty
);

`REQUIRE(g_p, P >= 1 && P <= 64 && (P & (P - 1)) == 0, ("%m: P = %0d must be a power of two, 1 to 64", P))

localparam [2:0] LAST_FIELD = `ARRAY_FIELD_YSTRIDE;
localparam [2:0] LAST_QUIET = 3'd6;
localparam [31:0] LOG_WORD = P > 1 ? $clog2(P) : 0;

reg           set_reg;      // a SET is in the register
reg           cmd_reg;      // a COMPUTE is
reg           error_reg;
reg  [23:0]   index_reg;
reg  [255:0]  data_reg;
reg  [GW-1:0] tiles_reg;
reg  [2:0]    quiet_reg;
reg           change_reg;   // the COMPUTE in the register is a GRAD with another tiles_log2: it waits

wire is_compute = d_data[`ARRAY_D_OPCODE] == `ARRAY_OPCODE_COMPUTE;
wire tiles_legal = d_data[`ARRAY_D_COMPUTE_OP] != `ARRAY_OP_GRAD
    || d_data[`ARRAY_D_COMPUTE_TILES_LOG2] <= LOG_WORD[2:0];
wire legal = is_compute ? tiles_legal : d_data[`ARRAY_D_SET_FIELD] <= LAST_FIELD;

wire [2:0] tiles = data_reg[`ARRAY_D_COMPUTE_TILES_LOG2];
wire [2:0] next_tiles = d_data[`ARRAY_D_COMPUTE_TILES_LOG2];
wire other_tiles = d_data[`ARRAY_D_COMPUTE_OP] == `ARRAY_OP_GRAD && next_tiles[GW-1:0] != tiles_reg;
wire quiet = change_reg && grid_idle && &grad_empty;
wire change_ends = quiet && quiet_reg == LAST_QUIET;
wire empty = !set_reg && !cmd_reg;
wire go = (set_reg && set_ready) || (cmd_reg && cmd_ready && !change_reg);

assign d_ready = empty || go;

always @(posedge clk) begin
    if (d_ready) begin
        set_reg <= d_valid && legal && !is_compute;
        cmd_reg <= d_valid && legal && is_compute;
        index_reg <= d_index;
        data_reg <= d_data;
        // (while it waits nothing is taken, so tiles_reg is what it is now)
        change_reg <= d_valid && legal && is_compute && other_tiles;
    end else if (change_ends) begin
        change_reg <= 1'b0;
    end
    error_reg <= d_valid && d_ready && !legal;
    quiet_reg <= quiet ? quiet_reg + 3'd1 : 3'd0;
    if (change_ends) tiles_reg <= tiles[GW-1:0];
    if (rst) begin
        set_reg <= 1'b0;
        cmd_reg <= 1'b0;
        change_reg <= 1'b0;
        error_reg <= 1'b0;
        quiet_reg <= 3'd0;
        tiles_reg <= {GW{1'b0}};
    end
end

// Fields that may be wider than the port that takes them
wire [63:0] pes = data_reg[`ARRAY_D_SET_PES];
wire [11:0] ebase = data_reg[`ARRAY_D_COMPUTE_EBASE];
wire [11:0] wbase = data_reg[`ARRAY_D_COMPUTE_WBASE];
wire [11:0] xbase = data_reg[`ARRAY_D_COMPUTE_XBASE];
wire [11:0] ybase = data_reg[`ARRAY_D_COMPUTE_YBASE];
wire [11:0] rbase = data_reg[`ARRAY_D_COMPUTE_RBASE];

assign set_valid = set_reg;
assign set_pes = pes[P-1:0];
assign set_field = data_reg[`ARRAY_D_SET_FIELD];
assign set_value = data_reg[`ARRAY_D_SET_VALUE];

assign cmd_valid = cmd_reg && !change_reg;
assign cmd_op = data_reg[`ARRAY_D_COMPUTE_OP];
assign cmd_swap = data_reg[`ARRAY_D_COMPUTE_SWAP];
assign cmd_ebase = ebase[EAW-1:0];
assign cmd_wbase = wbase[WAW-1:0];
assign cmd_xbase = xbase[XAW-1:0];
assign cmd_wstride = data_reg[`ARRAY_D_COMPUTE_WSTRIDE];
assign cmd_ybase = ybase[YAW-1:0];
assign cmd_rbase = rbase[YAW-1:0];
assign tiles_log2 = tiles_reg;

assign done = grid_done;
assign idle = empty && grid_idle;
assign error = error_reg;
assign error_cause = `ARRAY_CAUSE_FIELD;
assign error_index = index_reg;

wire unused = &{1'b0, `ARRAY_D_UNUSED_COMPUTE(data_reg), data_reg[`ARRAY_D_OPCODE], pes, ebase, wbase,
                  xbase, ybase, rbase, tiles, next_tiles};

endmodule
`resetall
