// What every picture of signals needs: a clock, a reset of one clock, and rows of values, one per clock from `shown` on.
// A row is what stands on the wires at the end of a clock: `@`, then a value per name of the comment `signals:`.
reg clk = 1'b0;
reg rst = 1'b1;
reg shown = 1'b0;

always #5 clk = ~clk;

initial begin
    @(posedge clk) rst <= 1'b0;
end

`define BIT(value) $write(" %b", value);
`define NUMBER(valid, value) if (valid) $write(" %0d", value); else $write(" -");
