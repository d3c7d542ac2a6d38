// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none

/*
 * Sends the records of a binary file as frames of a stream, one per clock (simulation only)
 *
 * A record is big-endian. A pulse of `go` starts `frames` frames of `beats` records each.
 */
module file_source #
(
    // bits of a record, a multiple of 8
    parameter WIDTH = 32,
    // file name, relative to the directory in which the simulator runs
    parameter FILE = "source.bin"
)
(
    input  wire             clk,
    input  wire             rst,

    input  wire             go,
    input  wire             first,   // with go: open the file anew; otherwise go on where it is
    input  wire             last,    // close the file after these frames; steady
    input  wire [31:0]      frames,  // with go
    input  wire [31:0]      beats,   // steady

    output wire             m_valid,
    input  wire             m_ready,
    output wire [WIDTH-1:0] m_data,
    output wire             m_last,
    output wire             done     // pulse: the last record is taken
);

integer          file;
integer          bytes;
reg [WIDTH-1:0]  record;
reg [31:0]       frames_reg;  // frames of which the last record is not read yet
reg [31:0]       beat_reg;
reg              valid_reg;
reg              last_reg;
reg [WIDTH-1:0]  data_reg;

wire             end_of_frame = beat_reg == beats - 32'd1;

// The file is read and the record used at the same clock edge.
/* verilator lint_off BLKSEQ */
always @(posedge clk) begin
    if (go) begin
        if (first) begin
            file = $fopen(FILE, "rb");
        end
        frames_reg <= frames;
        beat_reg <= 32'd0;
    end else if (!valid_reg || m_ready) begin
        valid_reg <= frames_reg != 32'd0;
        if (frames_reg != 32'd0) begin
            bytes = $fread(record, file);
            if (bytes != WIDTH/8 && !rst && $time != 0) begin
                $display("ERROR: %s ends early", FILE);
                $finish;
            end
            data_reg <= record;
            last_reg <= end_of_frame;
            beat_reg <= end_of_frame ? 32'd0 : beat_reg + 32'd1;
            if (end_of_frame) begin
                frames_reg <= frames_reg - 32'd1;
                if (frames_reg == 32'd1 && last) begin
                    $fclose(file);
                end
            end
        end
    end
    if (rst) begin
        frames_reg <= 32'd0;
        valid_reg <= 1'b0;
    end
end
/* verilator lint_on BLKSEQ */

assign m_valid = valid_reg;
assign m_data = data_reg;
assign m_last = last_reg;
assign done = valid_reg && m_ready && last_reg && frames_reg == 32'd0;

endmodule

`resetall
