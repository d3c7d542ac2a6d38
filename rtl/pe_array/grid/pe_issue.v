// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
`include "require.vh"
`include "descriptors.vh"
/*
 * Issue stage of a processing element, and the control of everything behind it
 *
 * Takes an entry per clock with `go` and issues it, unless it must wait (docs/pe_array/pe.md): for a Y word that
 * an entry before it has yet to write, for results in flight of another operation, for room for a gradient, or for the
 * drain. Nothing stops behind it.
 *
 * The lanes' time is that of the pixel: d0 is the clock in which the X RAM shows the pixel word of an entry. It is 3
 * clocks after the issue for MAC and MAX, which need Y at the end, and 6 for GRAD and UNPOOL, which need it at the
 * beginning; Y is read 4 clocks after the issue, whoever reads, and shows its word 2 clocks later.
 *
 * Latency: 1 tick from an entry's input to its issue.
 */
module pe_issue #(
    // Width of a word address of X
    parameter XAW = 10,
    // Width of a word address of Y
    parameter YAW = 9,
    // Gradients that may be between issue and port, 1 ... 31
    parameter GRADIENTS = 16
) (
    input  wire           clk,
    input  wire           rst,

    // Entry: see pe_address
    output wire           go,
    input  wire           in_valid,
    input  wire           in_clear,
    input  wire           in_skip,
    input  wire           in_last,
    input  wire           in_fence,
    input  wire           in_ends,
    input  wire [1:0]     in_op,
    input  wire [XAW-1:0] in_xaddr,
    input  wire [YAW-1:0] in_yaddr,
    input  wire [YAW-1:0] in_raddr,
    input  wire [6:0]     in_woff,
    input  wire [7:0]     weight,       // of the entry that was issued 2 clocks ago

    input  wire           drain_read,   // read drain_addr in place of what the PE would read
    input  wire [YAW-1:0] drain_addr,
    input  wire           grad_taken,   // a gradient leaves at the port

    output wire           busy,         // an entry is issued
    output wire           stall,        // an entry waits

    output wire [XAW-1:0] x_raddr,      // pixel word to read: 1 or 4 clocks after issue
    output wire           y_re,         // read Y: 4 clocks after issue or drain_read
    output wire [YAW-1:0] y_raddr,
    output wire           drain_valid,  // the word of a drain_read stands on the output of Y: 6 clocks after it

    // Lanes
    output wire [1:0]     d0_op,        // keeps its value while no entry is there
    output wire           d0_skip,      // the product counts as 0
    output wire           d0_first,     // a sum begins
    output wire           d0_fresh,     // nothing has been compared in this window
    output wire           d0_clear,     // the result is 0
    output wire [7:0]     d0_value,     // weight or woff
    output wire           d0_write,     // the entry's result goes to Y in d3
    output wire           d2_write,     // the same, 2 clocks later
    output wire [YAW-1:0] d2_waddr,
    output wire           d3_gradient,  // the lanes' sums are those of a gradient
    output wire           done          // d0: what is loaded or drained after it comes behind a command's writes
);

`REQUIRE(g_gradients, GRADIENTS >= 1 && GRADIENTS <= 31, ("%m: GRADIENTS = %0d must be 1 to 31", GRADIENTS))

localparam [4:0] MOST = GRADIENTS[4:0];
// Clocks between the last entry of an operation and the first of another, less 1
localparam [2:0] FENCE = 3'd5;

// --- issue stage ---

reg           valid_reg;
reg           clear_reg;
reg           skip_reg;
reg           last_reg;
reg           fence_reg;
reg           ends_reg;
reg [1:0]     op_reg;
reg [XAW-1:0] xaddr_reg;
reg [YAW-1:0] yaddr_reg;
reg [YAW-1:0] raddr_reg;
reg [6:0]     woff_reg;
reg           reads_reg;     // there is an entry, and it reads Y
reg           grad_reg;      // there is an entry, and it makes a gradient
reg           changes_reg;   // it writes a Y word that a MAC may read soon
reg           again_reg;     // it waits for a Y word in the next clock too
reg           held_reg;      // there is an entry, and it waits for a Y word or for what is in flight

// What was issued one clock ago
reg           changes1_reg;
reg [YAW-1:0] yaddr1_reg;

reg [2:0]     settle_reg;    // clocks until what is in flight has settled
reg [4:0]     gradients_reg; // issued and not taken
reg           full_reg;

wire in_mac_last = in_last && in_op == `ARRAY_OP_MAC;
wire same        = in_mac_last && in_yaddr == yaddr_reg && valid_reg && changes_reg;
wire same1       = in_mac_last && in_yaddr == yaddr1_reg && changes1_reg;
wire waits       = held_reg || (grad_reg && full_reg) || (reads_reg && drain_read);
wire issue       = valid_reg && !waits;
wire issue_grad  = issue && grad_reg;

// What is held in the next clock is known in this one: much hangs on `go`. An entry comes as another one is issued.
wire unsettled   = settle_reg[2:1] != 2'd0;
wire in_held     = in_valid && (same || same1 || (in_fence && (valid_reg || unsettled)));
wire still_held  = again_reg || (fence_reg && unsettled);

// More of them, or fewer
wire       up   = issue_grad && !grad_taken;
wire       down = grad_taken && !issue_grad;

assign go    = !waits;
assign busy  = issue;
assign stall = waits;

always @(posedge clk) begin
    if (go) begin
        valid_reg   <= in_valid;
        clear_reg   <= in_clear;
        skip_reg    <= in_skip;
        last_reg    <= in_last;
        fence_reg   <= in_fence;
        ends_reg    <= in_ends;
        op_reg      <= in_op;
        xaddr_reg   <= in_xaddr;
        yaddr_reg   <= in_yaddr;
        raddr_reg   <= in_raddr;
        woff_reg    <= in_woff;
        changes_reg <= in_mac_last || in_clear;
        reads_reg   <= in_valid && (in_op == `ARRAY_OP_MAC ? in_last : in_op != `ARRAY_OP_MAX && !in_skip);
        grad_reg    <= in_valid && in_last && in_op == `ARRAY_OP_GRAD;
    end

    held_reg  <= go ? in_held : still_held;
    again_reg <= go && same;

    changes1_reg <= issue && changes_reg;
    yaddr1_reg   <= yaddr_reg;

    if (issue) settle_reg <= FENCE;
    else if (settle_reg != 3'd0) settle_reg <= settle_reg - 3'd1;

    if (up) gradients_reg <= gradients_reg + 5'd1;
    else if (down) gradients_reg <= gradients_reg - 5'd1;

    if (up) full_reg <= gradients_reg == MOST - 5'd1;
    else if (down) full_reg <= 1'b0;

    if (rst) begin
        valid_reg     <= 1'b0;
        reads_reg     <= 1'b0;
        grad_reg      <= 1'b0;
        held_reg      <= 1'b0;
        again_reg     <= 1'b0;
        changes1_reg  <= 1'b0;
        settle_reg    <= 3'd0;
        gradients_reg <= 5'd0;
        full_reg      <= 1'b0;
    end
end

// --- s1 ... s4: 1 ... 4 clocks after issue ---

localparam ENTRY = XAW + YAW + 7 + 2 + 4;

wire [ENTRY-1:0] entry = {ends_reg, clear_reg, skip_reg, last_reg, op_reg, woff_reg, raddr_reg, xaddr_reg};
reg              early1_reg;
reg              late1_reg;
reg  [ENTRY-1:0] entry1_reg;
wire             late4;
wire [ENTRY-1:0] entry4;

always @(posedge clk) begin
    early1_reg <= issue && !op_reg[0];
    late1_reg  <= issue && op_reg[0];
    entry1_reg <= entry;
    if (rst) begin
        early1_reg <= 1'b0;
        late1_reg  <= 1'b0;
    end
end

delay_line #(
    .WIDTH(1),
    .DEPTH(3),
    .RESET(1)
) late_line (
    .clk(clk),
    .rst(rst),
    .d(late1_reg),
    .q(late4)
);

delay_line #(
    .WIDTH(ENTRY),
    .DEPTH(3)
) entry_line (
    .clk(clk),
    .rst(1'b0),
    .d(entry1_reg),
    .q(entry4)
);

delay_line #(
    .WIDTH(1),
    .DEPTH(4),
    .RESET(1)
) read_line (
    .clk(clk),
    .rst(rst),
    .d(drain_read || (issue && reads_reg)),
    .q(y_re)
);

delay_line #(
    .WIDTH(YAW),
    .DEPTH(4)
) address_line (
    .clk(clk),
    .rst(1'b0),
    .d(drain_read ? drain_addr : yaddr_reg),
    .q(y_raddr)
);

delay_line #(
    .WIDTH(1),
    .DEPTH(6),
    .RESET(1)
) drain_line (
    .clk(clk),
    .rst(rst),
    .d(drain_read),
    .q(drain_valid)
);

// --- X is read; x: its word comes to its register; then d0 ... d3 ---

wire [ENTRY-1:0]     entry_x = late4 ? entry4 : entry1_reg;
reg                  x_valid_reg;
reg  [ENTRY-XAW-1:0] x_entry_reg;
wire                 x_ends, x_clear, x_skip, x_last;
wire [1:0]           x_op;
wire [6:0]           x_woff;
wire [YAW-1:0]       x_waddr;

assign {x_ends, x_clear, x_skip, x_last, x_op, x_woff, x_waddr} = x_entry_reg;
assign x_raddr = entry_x[XAW-1:0];

reg           starts_reg;  // the next entry begins a sum; so does one of another operation, even behind a clear alone
reg           fresh_reg;   // and if it does not: nothing has been compared so far
reg           first0_reg;
reg           fresh0_reg;
reg           skip0_reg;
reg           clear0_reg;
reg [1:0]     op0_reg;
reg [7:0]     value0_reg;
reg           write0_reg;
reg           gradient0_reg;
reg           ends0_reg;
reg [YAW-1:0] waddr0_reg;
reg [2:1]     write_reg;
reg [3:1]     gradient_reg;
wire          x_first = x_valid_reg && (starts_reg || x_op != op0_reg);
wire          x_fresh = x_first || fresh_reg;

always @(posedge clk) begin
    x_valid_reg <= early1_reg || late4;
    x_entry_reg <= entry_x[ENTRY-1:XAW];

    if (x_valid_reg) begin
        starts_reg <= x_last;
        fresh_reg  <= x_fresh && x_skip;
        op0_reg    <= x_op;
    end

    first0_reg    <= x_first;
    fresh0_reg    <= x_fresh;
    skip0_reg     <= x_skip || !x_valid_reg;
    clear0_reg    <= x_clear && x_valid_reg;
    value0_reg    <= x_op == `ARRAY_OP_MAC ? weight : {1'b0, x_woff};
    write0_reg    <= x_valid_reg && (x_clear || (x_last && x_op != `ARRAY_OP_GRAD));
    gradient0_reg <= x_valid_reg && x_last && x_op == `ARRAY_OP_GRAD;
    ends0_reg     <= x_valid_reg && x_ends;
    waddr0_reg    <= x_waddr;

    write_reg     <= {write_reg[1], write0_reg};
    gradient_reg  <= {gradient_reg[2:1], gradient0_reg};

    if (rst) begin
        x_valid_reg   <= 1'b0;
        starts_reg    <= 1'b1;
        write0_reg    <= 1'b0;
        gradient0_reg <= 1'b0;
        ends0_reg     <= 1'b0;
        write_reg     <= 2'd0;
        gradient_reg  <= 3'd0;
    end
end

delay_line #(
    .WIDTH(YAW),
    .DEPTH(2)
) waddr_line (
    .clk(clk),
    .rst(1'b0),
    .d(waddr0_reg),
    .q(d2_waddr)
);

assign d0_op       = op0_reg;
assign d0_skip     = skip0_reg;
assign d0_first    = first0_reg;
assign d0_fresh    = fresh0_reg;
assign d0_clear    = clear0_reg;
assign d0_value    = value0_reg;
assign d0_write    = write0_reg;
assign d2_write    = write_reg[2];
assign d3_gradient = gradient_reg[3];
assign done        = ends0_reg;

endmodule
`resetall
