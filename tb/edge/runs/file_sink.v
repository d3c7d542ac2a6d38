// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none

/*
 * Writes records to a binary file, little-endian (simulation only)
 */
module file_sink #
(
    // bits of a record, a multiple of 32
    parameter WIDTH = 32,
    // file name, relative to the directory in which the simulator runs
    parameter FILE = "sink.bin"
)
(
    input  wire             clk,
    input  wire             open,   // open the file anew; no record is written in this clock
    input  wire             valid,
    input  wire [WIDTH-1:0] data,   // with valid: a record
    input  wire             close   // with valid: close the file after this record
);

integer file;

// Files are opened, written and closed in this order within one process.
/* verilator lint_off BLKSEQ */
always @(posedge clk) begin
    if (open) begin
        file = $fopen(FILE, "wb");
    end else if (valid) begin
        $fwrite(file, "%u", data);
        if (close) begin
            $fclose(file);
        end
    end
end
/* verilator lint_on BLKSEQ */

endmodule

`resetall
