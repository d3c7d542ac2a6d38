// A drain of one channel, 1 row of 4 pixels in 2 tiles: 2 words of each of 2 PEs. The sink waits for two clocks.
// signals: clk cmd_valid cmd_ready | drain_read[0] drain_read[1] =drain_addr | m_valid m_ready =m_data m_last
module tile_drain_wave;
`include "wave.vh"
`include "descriptors.vh"

integer      clock = 0;
reg          cmd = 1'b0;
reg          m_ready = 1'b1;
wire         cmd_ready, m_valid, m_last;
wire [1:0]   drain_read;
wire [8:0]   drain_addr;
wire [31:0]  m_data;
reg  [31:0]  line0 [0:5];
reg  [31:0]  line1 [0:5];
integer      i;

reg  [`ARRAY_DRAIN_CMD_BITS-1:0] command;

initial begin
    command = 0;
    command[`ARRAY_DRAIN_CMD_SLOTS] = 7'd1;
    command[`ARRAY_DRAIN_CMD_CHANNELS] = 12'd1;
    command[`ARRAY_DRAIN_CMD_CHANNELS_LAST] = 12'd1;
    command[`ARRAY_DRAIN_CMD_HEIGHT] = 12'd1;
    command[`ARRAY_DRAIN_CMD_WIDTH] = 12'd4;
    command[`ARRAY_DRAIN_CMD_TILE_HEIGHT] = 12'd1;
    command[`ARRAY_DRAIN_CMD_TILE_WIDTH] = 12'd2;
    command[`ARRAY_DRAIN_CMD_SY_LOG2] = 3'd0;
    command[`ARRAY_DRAIN_CMD_SX_LOG2] = 3'd1;
    command[`ARRAY_DRAIN_CMD_YBASE] = 9'd5;
    command[`ARRAY_DRAIN_CMD_YSTRIDE] = 9'd2;
end

tile_drain #(.P(2), .B(2), .ACC(16)) drain (
    .clk(clk), .rst(rst), .cmd_valid(cmd), .cmd_ready(cmd_ready), .cmd(command), .cmd_error(),
    .drain_read(drain_read), .drain_addr(drain_addr), .drain_data({line1[5], line0[5]}),
    .m_valid(m_valid), .m_ready(m_ready), .m_data(m_data), .m_last(m_last), .idle());

// words of both PEs 6 clocks after their read: 100 and 200 more than their address
always @(posedge clk) begin
    line0[0] <= 32'd100 + drain_addr;
    line1[0] <= 32'd200 + drain_addr;
    for (i = 1; i < 6; i = i + 1) begin
        line0[i] <= line0[i-1];
        line1[i] <= line1[i-1];
    end
end

always @(posedge clk) begin
    if (shown) begin
        $write("@ 1");
        `BIT(cmd)
        `BIT(cmd_ready)
        `BIT(drain_read[0])
        `BIT(drain_read[1])
        `NUMBER(drain_read != 2'd0, drain_addr)
        `BIT(m_valid)
        `BIT(m_ready)
        `NUMBER(m_valid, m_data)
        `BIT(m_valid && m_last)
        $display("");
    end
    clock   <= clock + 1;
    shown   <= clock >= 4;
    cmd     <= clock == 5;
    m_ready <= clock != 19 && clock != 20;
    if (clock == 26) $finish;
end
endmodule
