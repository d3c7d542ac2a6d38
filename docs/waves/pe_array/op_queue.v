// A queue: the first descriptor waits for nothing, the second for one load. `loads_done` shows a `done` a clock later.
// signals: clk s_valid =descriptor | done =loads_done | d_valid =d_index
module op_queue_wave;
`include "wave.vh"

integer      clock = 0;
reg          valid = 1'b0;
reg  [23:0]  number = 24'd0;
reg          done = 1'b0;
reg  [23:0]  loads = 24'd0;
wire         d_valid;
wire [23:0]  d_index;

op_queue queue (
    .clk(clk), .rst(rst), .s_valid(valid), .s_ready(),
    .s_data({number == 24'd1 ? 24'd1 : 24'd0, 8'h21} | 256'd0), .s_index(number),
    .loads_done(loads), .computes_done(24'd0), .stores_done(24'd0),
    .d_valid(d_valid), .d_ready(1'b1), .d_data(), .d_index(d_index), .empty());

always @(posedge clk) begin
    if (shown) begin
        $write("@ 1");
        `BIT(valid)
        `NUMBER(valid, number)
        `BIT(done)
        `NUMBER(1'b1, loads)
        `BIT(d_valid)
        `NUMBER(d_valid, d_index)
        $display("");
    end
    clock <= clock + 1;
    shown <= clock >= 4;
    valid <= clock == 5 || clock == 6;
    if (valid) number <= number + 24'd1;
    done  <= clock == 13;
    if (done) loads <= loads + 24'd1;
    if (clock == 19) $finish;
end
endmodule
