// Samples in: two frames of four beats, then one that must wait until a slot of the ring is free.
// signals: clk s_axis_tvalid s_axis_tready =beat s_axis_tlast =s_axis_tuser | act_valid act_commit frame_valid frame_free
module samples;
`include "wave.vh"

reg         valid = 1'b0;
reg         free = 1'b0;
integer     beat = 0;
integer     frame = 0;
integer     clock = 0;
wire        ready, act_valid, act_commit, frame_valid;

sample_loader #(.WIDTH(8), .IN_LANES(1), .BEATS(4), .CLASSES(10), .SLOTS(2)) loader (
    .clk(clk), .rst(rst), .soft_rst(1'b0),
    .s_axis_tdata(beat[7:0]), .s_axis_tvalid(valid), .s_axis_tready(ready), .s_axis_tlast(beat == 3),
    .s_axis_tuser(beat == 3 ? 16'd7 - frame[15:0] : 16'd0),
    .act_valid(act_valid), .act_data(), .act_commit(act_commit), .act_abort(), .label(),
    .frame_valid(frame_valid), .frame_take(1'b0), .frame_free(free),
    .drop_short(), .drop_long(), .drop_label());

always @(posedge clk) begin
    if (shown) begin
        $write("@ 1");
        `BIT(valid)
        `BIT(ready)
        `NUMBER(valid, beat)
        `BIT(valid && beat == 3)
        `NUMBER(valid && beat == 3, 7 - frame)
        `BIT(act_valid)
        `BIT(act_commit)
        `BIT(frame_valid)
        `BIT(free)
        $display("");
    end
    clock <= clock + 1;
    shown <= clock >= 4;
    valid <= clock >= 5 && clock != 8;  // a gap of one clock in the first frame
    free  <= clock == 16;
    if (valid && ready) begin
        beat <= beat == 3 ? 0 : beat + 1;
        if (beat == 3) frame <= frame + 1;
        valid <= clock != 7;
    end
    if (clock == 23) $finish;
end
endmodule
