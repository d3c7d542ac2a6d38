// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
`include "edge_registers.vh"
/*
 * AXI4-Stream parameters to and from the engine's banks
 *
 * A section is all words of one kind (EDGE_KIND_* of edge_registers.vh) of one junction, row after row: weights (C rows
 * of z), biases (G rows of P), seeds (fo rows of z, or one), permutations (fo rows of z). LOAD writes one frame of
 * `s_axis_param` to the selected section, DUMP sends the section as one frame on `m_axis_param`.
 *
 * Latency: a row is read (2 clocks, for DUMP 3), its words pass at up to one per clock (LOAD) or one per two clocks
 * (DUMP), then LOAD writes it back (2 clocks). Because a LOAD begins with reading the old row, the words that a short
 * frame does not bring keep their values: the old ones are shifted in behind the new ones (three clocks each).
 *
 * `param_err` pulses for: a frame that is short; one that is long (the rest up to TLAST is swallowed, LOAD
 * stays busy); a seed >= D or a permutation entry >= z (0 is written). `bad_cmd` pulses one clock after a
 * command for a section that does not exist. Commands come only while both busy outputs are low.
 *
 * A soft reset gives up a LOAD: complete rows stay written, the rest of a begun frame is swallowed. A DUMP goes on.
 */
module param_port #(
    // Junctions
    parameter JUNCTIONS = 2,
    // Neurons of layers 0 to JUNCTIONS, 16 bits each, layer 0 in the low bits
    parameter [16*(JUNCTIONS+1)-1:0] LAYERS = {16'd4, 16'd8, 16'd16},
    // Fan-out of junctions 1 to JUNCTIONS, 16 bits each
    parameter [16*JUNCTIONS-1:0] FAN_OUT = {16'd2, 16'd2},
    // Degree of parallelism z of junctions 1 to JUNCTIONS, 16 bits each
    parameter [16*JUNCTIONS-1:0] LANES = {16'd4, 16'd8},
    // 1: a seed vector per sweep, 0: one for all
    parameter SWEEP_SEEDS = 1,
    // 1: the junctions have permutations
    parameter DITHER = 0
) (
    input  wire        clk,
    input  wire        rst,             // hard reset
    input  wire        soft_rst,

    input  wire        load,            // pulses: commands
    input  wire        dump,
    input  wire [7:0]  sel_junction,    // with a command: 1 to JUNCTIONS
    input  wire [1:0]  sel_kind,
    output wire        load_busy,
    output wire        dump_busy,
    output wire        bad_cmd,
    output wire        param_err,

    input  wire [31:0] s_axis_param_tdata,
    input  wire        s_axis_param_tvalid,
    output wire        s_axis_param_tready,
    input  wire        s_axis_param_tlast,

    output wire [31:0] m_axis_param_tdata,
    output wire        m_axis_param_tvalid,
    input  wire        m_axis_param_tready,
    output wire        m_axis_param_tlast,

    // To the row banks of the engine, see rtl/lib/row_bank.v
    output wire [7:0]  cfg_junction,
    output wire [1:0]  cfg_kind,
    output wire        cfg_shift,
    output wire [31:0] cfg_word,
    output wire        cfg_write,
    output wire        cfg_read,
    output wire [15:0] cfg_addr,
    input  wire [31:0] cfg_out
);

`include "edge_schedule.vh"

`REQUIRE(g_rows, sch_cp(0) <= 65536,
         ("%m: a junction with W/z = %0d rows of weights, at most 65536 can be addressed", sch_cp(0)))

// Shape of every section: {values allowed (seeds and permutations), last row, last lane}
localparam SHAPE = 48;
wire [4*JUNCTIONS*SHAPE-1:0] shapes;

genvar i;

generate
    for (i = 0; i < JUNCTIONS; i = i + 1) begin : g_shape
        localparam [31:0] LAST_LANE = sch_z(i+1) - 1;
        localparam [31:0] LAST_UNIT = sch_p(i+1) - 1;
        localparam [31:0] LAST_CLOCK = sch_c(i+1) - 1;
        localparam [31:0] LAST_GROUP = sch_g(i+1) - 1;
        localparam [31:0] LAST_SWEEP = sch_fo(i+1) - 1;
        localparam [31:0] LAST_SEED = (SWEEP_SEEDS != 0) ? LAST_SWEEP : 0;
        localparam [31:0] DEPTH = sch_d(i+1);
        localparam [31:0] MEMORIES = sch_z(i+1);

        assign shapes[(4*i + {30'd0, `EDGE_KIND_WEIGHTS})*SHAPE +: SHAPE] = {16'd0, LAST_CLOCK[15:0], LAST_LANE[15:0]};
        assign shapes[(4*i + {30'd0, `EDGE_KIND_BIASES})*SHAPE +: SHAPE] = {16'd0, LAST_GROUP[15:0], LAST_UNIT[15:0]};
        assign shapes[(4*i + {30'd0, `EDGE_KIND_SEEDS})*SHAPE +: SHAPE] =
            {DEPTH[15:0], LAST_SEED[15:0], LAST_LANE[15:0]};
        assign shapes[(4*i + {30'd0, `EDGE_KIND_PERMS})*SHAPE +: SHAPE] =
            {MEMORIES[15:0], LAST_SWEEP[15:0], LAST_LANE[15:0]};
    end
endgenerate

localparam [3:0] IDLE = 4'd0;
localparam [3:0] CHECK = 4'd1;     // is there such a section?
localparam [3:0] READ = 4'd2;      // row out of the bank
localparam [3:0] TAKE = 4'd3;      // the bank registers it
localparam [3:0] FILL = 4'd4;      // LOAD: words in
localparam [3:0] SETTLE = 4'd5;    // the last word is being shifted in
localparam [3:0] KEEP = 4'd6;      // short frame: an old word behind the new ones
localparam [3:0] WRITE = 4'd7;     // shift register to row
localparam [3:0] SWALLOW = 4'd8;   // long frame: wait for its end
localparam [3:0] CHOOSE = 4'd9;    // DUMP: the first word is chosen
localparam [3:0] GET = 4'd10;      // word out of the row
localparam [3:0] SEND = 4'd11;     // wait until it is taken

reg [3:0]  state_reg, state_next;
reg        dumping_reg;
reg [7:0]  junction_reg;
reg [1:0]  kind_reg;
reg [15:0] limit_reg;
reg [15:0] last_row_reg;
reg [15:0] last_lane_reg;
reg [15:0] row_reg, row_next;
reg [15:0] lane_reg, lane_next;      // lane of the next word
reg        begun_reg;                // some beats of a frame, but not TLAST, have been accepted
reg        swallow_reg;              // the rest of the frame is unwanted
reg        ended_reg, ended_next;    // the frame's TLAST came
reg        shift_reg, shift_next;
reg [31:0] word_reg, word_next;
reg        m_valid_reg, m_valid_next;
reg        m_last_reg, m_last_next;
reg        err_reg, err_next;
reg        bad_cmd_reg, bad_cmd_next;

wire reset = rst || soft_rst;

assign s_axis_param_tready = !reset && (state_reg == FILL || swallow_reg);

wire        take = s_axis_param_tvalid && s_axis_param_tready;
wire        wanted = take && !swallow_reg;
wire        row_full = lane_reg == last_lane_reg;
wire        section_full = row_full && row_reg == last_row_reg;
wire        too_long = wanted && section_full && !s_axis_param_tlast;
wire        too_short = wanted && !section_full && s_axis_param_tlast;
wire        out_of_range = (kind_reg == `EDGE_KIND_SEEDS || kind_reg == `EDGE_KIND_PERMS)
                           && s_axis_param_tdata >= {16'd0, limit_reg};
wire        exists = junction_reg != 8'd0 && {24'd0, junction_reg} <= JUNCTIONS
                && (kind_reg != `EDGE_KIND_PERMS || DITHER != 0);
wire [9:0]  section = {junction_reg - 8'd1, kind_reg};
wire [47:0] shape = shapes[section*SHAPE +: SHAPE];

always @* begin
    state_next = state_reg;
    row_next = row_reg;
    lane_next = lane_reg;
    ended_next = ended_reg;
    shift_next = 1'b0;
    word_next = word_reg;
    m_valid_next = m_valid_reg;
    m_last_next = m_last_reg;
    err_next = 1'b0;
    bad_cmd_next = 1'b0;
    case (state_reg)
        IDLE: begin
            row_next = 16'd0;
            lane_next = 16'd0;
            ended_next = 1'b0;
            if (load || dump) begin
                state_next = CHECK;
            end
        end
        CHECK: begin
            bad_cmd_next = !exists;
            state_next = exists ? READ : IDLE;
        end
        READ: begin
            state_next = TAKE;
        end
        TAKE: begin
            state_next = dumping_reg ? CHOOSE : FILL;
        end
        FILL: begin
            if (wanted) begin
                word_next = out_of_range ? 32'd0 : s_axis_param_tdata;
                shift_next = 1'b1;
                lane_next = row_full ? 16'd0 : lane_reg + 16'd1;
                ended_next = s_axis_param_tlast;
                err_next = out_of_range || too_short || too_long;
                if (row_full || s_axis_param_tlast) begin
                    state_next = SETTLE;
                end
            end
        end
        SETTLE: begin
            if (lane_reg == 16'd0) begin
                state_next = WRITE;
            end else if (!shift_reg) begin
                state_next = KEEP;
            end
        end
        KEEP: begin
            word_next = cfg_out;
            shift_next = 1'b1;
            lane_next = row_full ? 16'd0 : lane_reg + 16'd1;
            state_next = SETTLE;
        end
        WRITE: begin
            row_next = row_reg + 16'd1;
            if (ended_reg) begin
                state_next = IDLE;
            end else if (row_reg == last_row_reg) begin
                state_next = SWALLOW;
            end else begin
                state_next = READ;
            end
        end
        SWALLOW: begin
            if (!swallow_reg) begin
                state_next = IDLE;
            end
        end
        CHOOSE: begin
            shift_next = 1'b1;
            state_next = GET;
        end
        GET: begin
            word_next = cfg_out;
            m_valid_next = 1'b1;
            m_last_next = section_full;
            state_next = SEND;
        end
        SEND: begin
            if (m_axis_param_tready) begin
                m_valid_next = 1'b0;
                lane_next = row_full ? 16'd0 : lane_reg + 16'd1;
                row_next = row_full ? row_reg + 16'd1 : row_reg;
                shift_next = !row_full;
                state_next = m_last_reg ? IDLE : row_full ? READ : GET;
            end
        end
        default: begin
            state_next = IDLE;
        end
    endcase
    if (soft_rst && !dumping_reg) begin
        state_next = IDLE;
    end
end

always @(posedge clk) begin
    state_reg <= state_next;
    row_reg <= row_next;
    lane_reg <= lane_next;
    ended_reg <= ended_next;
    shift_reg <= shift_next;
    word_reg <= word_next;
    m_valid_reg <= m_valid_next;
    m_last_reg <= m_last_next;
    err_reg <= err_next && !reset;
    bad_cmd_reg <= bad_cmd_next && !reset;
    if (state_reg == IDLE) begin
        dumping_reg <= dump;
        junction_reg <= sel_junction;
        kind_reg <= sel_kind;
    end
    if (state_reg == CHECK) begin
        {limit_reg, last_row_reg, last_lane_reg} <= shape;
    end
    if (take) begin
        begun_reg <= !s_axis_param_tlast;
        swallow_reg <= !s_axis_param_tlast && (swallow_reg || too_long);
    end
    if (soft_rst) begin
        swallow_reg <= begun_reg;
    end
    if (rst) begin
        state_reg <= IDLE;
        dumping_reg <= 1'b0;
        shift_reg <= 1'b0;
        m_valid_reg <= 1'b0;
        begun_reg <= 1'b0;
        swallow_reg <= 1'b0;
    end
end

assign load_busy = state_reg != IDLE && !dumping_reg;
assign dump_busy = state_reg != IDLE && dumping_reg;
assign bad_cmd = bad_cmd_reg;
assign param_err = err_reg;

assign m_axis_param_tdata = word_reg;
assign m_axis_param_tvalid = m_valid_reg;
assign m_axis_param_tlast = m_last_reg;

assign cfg_junction = junction_reg;
assign cfg_kind = kind_reg;
assign cfg_shift = shift_reg;
assign cfg_word = word_reg;
assign cfg_write = state_reg == WRITE;
assign cfg_read = state_reg == READ;
assign cfg_addr = row_reg;

endmodule
`resetall
