// Predictions out: a frame of three beats, with a sink that is not ready for two clocks.
// signals: clk out_valid =out_data out_last | m_axis_tvalid m_axis_tready =m_axis_tdata m_axis_tlast =class =label
module predictions;
`include "wave.vh"

integer     clock = 0;
reg         valid = 1'b0;
reg         ready = 1'b1;
integer     group = 0;
wire [7:0]  data = group == 0 ? 8'd20 : group == 1 ? 8'd90 : 8'd35;
wire        m_valid, m_last;
wire [7:0]  m_data;
wire [31:0] m_user;

prediction_unit #(.WIDTH(8), .LANES(1), .GROUPS(3), .CLASSES(3), .FRAMES(4)) unit (
    .clk(clk), .rst(rst), .soft_rst(1'b0), .admit(clock == 3), .out_room(),
    .out_valid(valid), .out_data(data), .out_last(group == 2), .out_label(16'd1),
    .m_axis_tdata(m_data), .m_axis_tvalid(m_valid), .m_axis_tready(ready), .m_axis_tlast(m_last),
    .m_axis_tuser(m_user), .predicted(), .correct());

always @(posedge clk) begin
    if (shown) begin
        $write("@ 1");
        `BIT(valid)
        `NUMBER(valid, data)
        `BIT(valid && group == 2)
        `BIT(m_valid)
        `BIT(ready)
        `NUMBER(m_valid, m_data)
        `BIT(m_valid && m_last)
        `NUMBER(m_valid && m_last, m_user[15:0])
        `NUMBER(m_valid && m_last, m_user[31:16])
        $display("");
    end
    clock <= clock + 1;
    shown <= clock >= 4;
    valid <= clock >= 5 && clock < 8;
    if (valid) group <= group + 1;
    ready <= clock != 11 && clock != 12;
    if (clock == 18) $finish;
end
endmodule
