// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
/*
 * Control of a junction: counts the rows of a pass, and tells every stage what the row is that it works on
 *
 * A pass has C = D*FAN_OUT = GROUPS*Q rows, one per clock from the clock after pass_start on (s0). Its rows are counted
 * by sweep and clock of the sweep (left layer) and by group and clock of the group (right layer). Stages are listed in
 * docs/edge/junction.md; a signal *_sN belongs to the row in stage N.
 *
 * Latency: *_sN comes N clocks after the row has entered (s0).
 */
module junction_control #(
    // Clocks per sweep
    parameter D = 2,
    // Sweeps per pass
    parameter FAN_OUT = 4,
    // Clocks per group of right neurons
    parameter Q = 1,
    // Groups of right neurons
    parameter GROUPS = 8,
    // Rows of a pass (derived)
    parameter C = D * FAN_OUT,
    // Width of a row number (derived)
    parameter CW = C > 1 ? $clog2(C) : 1,
    // Width of the clock of a sweep (derived)
    parameter AW = D > 1 ? $clog2(D) : 1,
    // Width of a sweep number (derived)
    parameter FW = FAN_OUT > 1 ? $clog2(FAN_OUT) : 1,
    // Width of a group number (derived)
    parameter GW = GROUPS > 1 ? $clog2(GROUPS) : 1
) (
    input  wire          clk,
    input  wire          rst,

    // Passes
    input  wire          pass_start,
    input  wire          ff_token,       // the pass carries a sample for FF
    input  wire          up_token,       // the pass carries a sample that leaves the left banks
    input  wire          up_train,       // and BP and UP work on it

    // The row of this clock: what works on it, and where it stands
    output wire          ff_s0,
    output wire          up_s0,          // BP and UP
    output wire          first_s0,       // first row of its group
    output wire          last_s0,        // last row of its group

    // Rows of clocks before
    output wire          row_s2,
    output wire [FW-1:0] sweep_s2,
    output wire [AW-1:0] t_s2,           // clock of the sweep
    output wire          up_s4,
    output wire          ff_s5,
    output wire          row_s5,
    output wire          first_s5,
    output wire [CW-1:0] number_s5,
    output wire [GW-1:0] group_s5,
    output wire          up_s6,
    output wire          first_s6,
    output wire          ff_s7,
    output wire          up_s7,
    output wire          first_s7,
    output wire          last_s7,
    output wire          frame_last_s7,  // last row of the pass
    output wire          sweep_first_s7, // row of the first sweep
    output wire          sweep_last_s7,  // row of the last sweep
    output wire          up_s8,
    output wire          first_s8
);

localparam QW = Q > 1 ? $clog2(Q) : 1;

// --- counters ---

reg          active_reg;
reg          ff_reg;
reg          up_reg;
reg [CW-1:0] c_reg;
reg [AW-1:0] t_reg;
reg [FW-1:0] f_reg;
reg [QW-1:0] q_reg;
reg [GW-1:0] g_reg;

wire c_last = {{32-CW{1'b0}}, c_reg} == C-1;
wire t_last = {{32-AW{1'b0}}, t_reg} == D-1;
wire f_last = {{32-FW{1'b0}}, f_reg} == FAN_OUT-1;
wire q_last = {{32-QW{1'b0}}, q_reg} == Q-1;
wire q_first = q_reg == {QW{1'b0}};
wire f_first = f_reg == {FW{1'b0}};

always @(posedge clk) begin
    if (active_reg) begin
        c_reg <= c_reg + 1'b1;
        t_reg <= t_last ? {AW{1'b0}} : t_reg + 1'b1;
        if (t_last) f_reg <= f_reg + 1'b1;
        q_reg <= q_last ? {QW{1'b0}} : q_reg + 1'b1;
        if (q_last) g_reg <= g_reg + 1'b1;
        if (c_last) active_reg <= 1'b0;
    end
    if (pass_start) begin
        active_reg <= ff_token || (up_token && up_train);
        ff_reg <= ff_token;
        up_reg <= up_token && up_train;
        c_reg <= {CW{1'b0}};
        t_reg <= {AW{1'b0}};
        f_reg <= {FW{1'b0}};
        q_reg <= {QW{1'b0}};
        g_reg <= {GW{1'b0}};
    end
    if (rst) active_reg <= 1'b0;
end

wire v_ff = active_reg && ff_reg;
wire v_up = active_reg && up_reg;

assign ff_s0 = v_ff;
assign up_s0 = v_up;
assign first_s0 = q_first;
assign last_s0 = q_last;

// --- later stages ---

// Bits of the control word
localparam FF = 6;
localparam UP = 5;
localparam FIRST = 4;
localparam LAST = 3;
localparam FRAME_LAST = 2;
localparam SWEEP_FIRST = 1;
localparam SWEEP_LAST = 0;

wire [6:0] ctl_s0 = {v_ff, v_up, q_first, q_last, c_last, f_first, f_last};
wire [6:0] ctl_s2;
wire [6:0] ctl_s4;
wire [6:0] ctl_s5;
wire [6:0] ctl_s6;
wire [6:0] ctl_s7;
wire [6:0] ctl_s8;

delay_line #(
    .WIDTH(7),
    .DEPTH(2),
    .RESET(1)
) ctl_delay_s2 (
    .clk(clk),
    .rst(rst),
    .d(ctl_s0),
    .q(ctl_s2)
);

delay_line #(
    .WIDTH(7),
    .DEPTH(2),
    .RESET(1)
) ctl_delay_s4 (
    .clk(clk),
    .rst(rst),
    .d(ctl_s2),
    .q(ctl_s4)
);

delay_line #(
    .WIDTH(7),
    .DEPTH(1),
    .RESET(1)
) ctl_delay_s5 (
    .clk(clk),
    .rst(rst),
    .d(ctl_s4),
    .q(ctl_s5)
);

delay_line #(
    .WIDTH(7),
    .DEPTH(1),
    .RESET(1)
) ctl_delay_s6 (
    .clk(clk),
    .rst(rst),
    .d(ctl_s5),
    .q(ctl_s6)
);

delay_line #(
    .WIDTH(7),
    .DEPTH(1),
    .RESET(1)
) ctl_delay_s7 (
    .clk(clk),
    .rst(rst),
    .d(ctl_s6),
    .q(ctl_s7)
);

delay_line #(
    .WIDTH(7),
    .DEPTH(1),
    .RESET(1)
) ctl_delay_s8 (
    .clk(clk),
    .rst(rst),
    .d(ctl_s7),
    .q(ctl_s8)
);

delay_line #(
    .WIDTH(FW + AW),
    .DEPTH(2)
) sweep_delay (
    .clk(clk),
    .rst(rst),
    .d({f_reg, t_reg}),
    .q({sweep_s2, t_s2})
);

delay_line #(
    .WIDTH(CW + GW),
    .DEPTH(5)
) number_delay (
    .clk(clk),
    .rst(rst),
    .d({c_reg, g_reg}),
    .q({number_s5, group_s5})
);

assign row_s2 = ctl_s2[FF] || ctl_s2[UP];
assign up_s4 = ctl_s4[UP];
assign ff_s5 = ctl_s5[FF];
assign row_s5 = ctl_s5[FF] || ctl_s5[UP];
assign first_s5 = ctl_s5[FIRST];
assign up_s6 = ctl_s6[UP];
assign first_s6 = ctl_s6[FIRST];
assign ff_s7 = ctl_s7[FF];
assign up_s7 = ctl_s7[UP];
assign first_s7 = ctl_s7[FIRST];
assign last_s7 = ctl_s7[LAST];
assign frame_last_s7 = ctl_s7[FRAME_LAST];
assign sweep_first_s7 = ctl_s7[SWEEP_FIRST];
assign sweep_last_s7 = ctl_s7[SWEEP_LAST];
assign up_s8 = ctl_s8[UP];
assign first_s8 = ctl_s8[FIRST];

endmodule
`resetall
