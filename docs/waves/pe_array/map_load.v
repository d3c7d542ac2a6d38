// A map of one channel, 1 row of 4 pixels: PE 0 has a window on columns 1 and 2.
// signals: clk cmd_valid cmd_ready =cmd_width | s_valid s_ready =column | load_valid =load_addr =load_data done
module map_load_wave;
`include "wave.vh"
`include "descriptors.vh"

integer      clock = 0;
integer      column = 0;
reg          cmd = 1'b0;
reg          set = 1'b0;
reg  [2:0]   select = 3'd0;
wire         cmd_ready, s_ready, load_valid, done;
wire [11:0]  load_addr;
wire [15:0]  load_data;
wire         s_valid = column < 4;

reg  [`ARRAY_MAP_CMD_BITS-1:0] command;

initial begin
    command = 0;
    command[`ARRAY_MAP_CMD_CHANNELS] = 13'd1;
    command[`ARRAY_MAP_CMD_ROW] = 12'd0;
    command[`ARRAY_MAP_CMD_ROWS] = 12'd1;
    command[`ARRAY_MAP_CMD_WIDTH] = 12'd4;
    command[`ARRAY_MAP_CMD_Y] = 1'b0;
    command[`ARRAY_MAP_CMD_ALL] = 1'b1;
    command[`ARRAY_MAP_CMD_SLOT] = 6'd0;
    command[`ARRAY_MAP_CMD_BASE] = 12'd64;
    command[`ARRAY_MAP_CMD_SHIFT] = 4'd0;
end

map_load #(.P(1), .B(2)) maps (
    .clk(clk), .rst(rst),
    .set_valid(set), .set_pe(1'b0), .set_select(select),
    .set_data(select == 3'd0 ? {12'd3, 12'd1} : select == 3'd1 ? {12'd1, 12'd0} : 24'd0),
    .cmd_valid(cmd), .cmd_ready(cmd_ready), .cmd(command), .cmd_error(), .done(done),
    .s_valid(s_valid), .s_ready(s_ready), .s_data(16'd10 + column[15:0]),
    .load_valid(load_valid), .load_ready(1'b1), .load_select(), .load_addr(load_addr), .load_data(load_data),
    .load_shift(), .idle());

always @(posedge clk) begin
    if (shown) begin
        $write("@ 1");
        `BIT(cmd)
        `BIT(cmd_ready)
        `NUMBER(cmd, 4)
        `BIT(s_valid)
        `BIT(s_ready)
        `NUMBER(s_valid, column)
        `BIT(load_valid)
        `NUMBER(load_valid, load_addr)
        `NUMBER(load_valid, load_data)
        `BIT(done)
        $display("");
    end
    clock  <= clock + 1;
    set    <= clock >= 2 && clock < 7;
    select <= clock - 2;
    shown  <= clock >= 10;
    cmd    <= clock == 11;
    if (s_valid && s_ready) column <= column + 1;
    if (clock == 28) $finish;
end
endmodule
