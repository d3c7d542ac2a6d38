// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none
/*
 * AXI4-Lite slave for word registers
 *
 * Turns the five channels into a write pulse and a read pulse. Write address and write data may come in
 * any order. One access of each direction is worked on at a time.
 *
 * Latency: the pulse comes in the clock after the last part was accepted and the answer before is gone, the answer
 * stands one clock later.
 *
 * Misaligned accesses and writes with a byte strobe missing are answered SLVERR without a pulse; an access whose
 * `*_ok` is low in the clock of its pulse is answered SLVERR too (and rdata 0): the user changes nothing then.
 */
module axil_slave #(
    // Bits of a byte address
    parameter ADDR_WIDTH = 12
) (
    input  wire                  clk,
    // Synchronous, active high
    input  wire                  rst,

    input  wire [ADDR_WIDTH-1:0] s_axil_awaddr,
    // Ignored
    input  wire [2:0]            s_axil_awprot,
    input  wire                  s_axil_awvalid,
    output wire                  s_axil_awready,
    input  wire [31:0]           s_axil_wdata,
    input  wire [3:0]            s_axil_wstrb,
    input  wire                  s_axil_wvalid,
    output wire                  s_axil_wready,
    output wire [1:0]            s_axil_bresp,
    output wire                  s_axil_bvalid,
    input  wire                  s_axil_bready,
    input  wire [ADDR_WIDTH-1:0] s_axil_araddr,
    // Ignored
    input  wire [2:0]            s_axil_arprot,
    input  wire                  s_axil_arvalid,
    output wire                  s_axil_arready,
    output wire [31:0]           s_axil_rdata,
    output wire [1:0]            s_axil_rresp,
    output wire                  s_axil_rvalid,
    input  wire                  s_axil_rready,

    // Pulse: a whole aligned word is written
    output wire                  write,
    // Word address
    output wire [ADDR_WIDTH-1:2] write_addr,
    output wire [31:0]           write_data,
    // With write, combinational: may it be written?
    input  wire                  write_ok,
    // The answer to a write waits while this is high (from the clock after write at the latest)
    input  wire                  write_hold,

    // Pulse: an aligned word is read
    output wire                  read,
    output wire [ADDR_WIDTH-1:2] read_addr,
    // With read, combinational
    input  wire [31:0]           read_data,
    input  wire                  read_ok
);

localparam [1:0] OKAY = 2'b00;
localparam [1:0] SLVERR = 2'b10;

reg                  aw_valid_reg;
reg [ADDR_WIDTH-1:0] aw_addr_reg;
reg                  w_valid_reg;
reg [31:0]           w_data_reg;
reg [3:0]            w_strb_reg;
reg                  b_valid_reg;
reg [1:0]            b_resp_reg;

wire write_now = aw_valid_reg && w_valid_reg && !b_valid_reg;

assign s_axil_awready = !aw_valid_reg;
assign s_axil_wready = !w_valid_reg;
assign s_axil_bvalid = b_valid_reg && !write_hold;
assign s_axil_bresp = b_resp_reg;

assign write = write_now && aw_addr_reg[1:0] == 2'b00 && w_strb_reg == 4'hF;
assign write_addr = aw_addr_reg[ADDR_WIDTH-1:2];
assign write_data = w_data_reg;

always @(posedge clk) begin
    if (s_axil_awready) begin
        aw_valid_reg <= s_axil_awvalid;
        aw_addr_reg <= s_axil_awaddr;
    end
    if (s_axil_wready) begin
        w_valid_reg <= s_axil_wvalid;
        w_data_reg <= s_axil_wdata;
        w_strb_reg <= s_axil_wstrb;
    end
    if (s_axil_bvalid && s_axil_bready) begin
        b_valid_reg <= 1'b0;
    end
    if (write_now) begin
        aw_valid_reg <= 1'b0;
        w_valid_reg <= 1'b0;
        b_valid_reg <= 1'b1;
        b_resp_reg <= (write && write_ok) ? OKAY : SLVERR;
    end
    if (rst) begin
        aw_valid_reg <= 1'b0;
        w_valid_reg <= 1'b0;
        b_valid_reg <= 1'b0;
    end
end

reg                  ar_valid_reg;
reg [ADDR_WIDTH-1:0] ar_addr_reg;
reg                  r_valid_reg;
reg [31:0]           r_data_reg;
reg [1:0]            r_resp_reg;

wire read_now = ar_valid_reg && !r_valid_reg;
wire read_good = read && read_ok;

assign s_axil_arready = !ar_valid_reg;
assign s_axil_rvalid = r_valid_reg;
assign s_axil_rdata = r_data_reg;
assign s_axil_rresp = r_resp_reg;

assign read = read_now && ar_addr_reg[1:0] == 2'b00;
assign read_addr = ar_addr_reg[ADDR_WIDTH-1:2];

always @(posedge clk) begin
    if (s_axil_arready) begin
        ar_valid_reg <= s_axil_arvalid;
        ar_addr_reg <= s_axil_araddr;
    end
    if (s_axil_rready) begin
        r_valid_reg <= 1'b0;
    end
    if (read_now) begin
        ar_valid_reg <= 1'b0;
        r_valid_reg <= 1'b1;
        r_data_reg <= read_good ? read_data : 32'd0;
        r_resp_reg <= read_good ? OKAY : SLVERR;
    end
    if (rst) begin
        ar_valid_reg <= 1'b0;
        r_valid_reg <= 1'b0;
    end
end

wire unused = &{1'b0, s_axil_awprot, s_axil_arprot};

endmodule
`resetall
