// SPDX-License-Identifier: Apache-2.0
`resetall
`default_nettype none

/*
 * Memory behind an AXI4 port (simulation only)
 *
 * WORDS beats from address `base` on, loaded from memory_in.bin by a pulse of `load` (beats big-endian) and written to
 * memory_out.bin by a pulse of `dump` (little-endian). An access elsewhere is answered with DECERR.
 *
 * Latency: LATENCY + later. The first beat of a request that is taken in clock c comes in c + latency, then one per
 * clock in the order of requests; the answer to a burst comes latency clocks after its last part, and only then it is
 * in the memory: who reads what it has written before the answer reads what was there before. With `stalls` all
 * handshakes pause at random, and beats of different IDs are mixed.
 *
 * Reads have whole beats. A write may have beats of fewer bytes than the bus (AXI4's narrow transfers): they stand
 * where their address says, with the strobes of their bytes alone.
 *
 * Bandwidth, of reads and of writes each: at most BEATS of PER clocks that follow each other have a beat. A beat goes
 * only in a clock whose credit is at least PER, and costs PER; then the clock adds BEATS, up to PER + BEATS - 1, which
 * is what there is after a reset, and after PER clocks without a beat.
 *
 * Beats in error_first ... error_last are answered with error_resp if that is not 0, by reads if error_read is set, and
 * by writes (of whole bursts) if error_write is; such a burst is not written.
 */
module axi_memory #(
    // Bits of a beat, a multiple of 32
    parameter DATA_WIDTH = 64,
    // Beats
    parameter WORDS = 4096,
    // Least latency in clocks, at least 1
    parameter LATENCY = 10,
    // Bandwidth: beats of so many clocks, 1 <= BEATS <= PER
    parameter BEATS = 1,
    parameter PER = 1
) (
    input  wire                    clk,
    input  wire                    rst,

    input  wire                    load,
    input  wire                    dump,
    input  wire [31:0]             base,         // a multiple of a beat
    input  wire [7:0]              later,        // clocks of latency beside LATENCY; unchanged while a request waits
    input  wire                    stalls,
    input  wire [15:0]             stall_seed,   // taken over while rst
    input  wire [31:0]             error_first,  // addresses in bytes
    input  wire [31:0]             error_last,
    input  wire [1:0]              error_resp,
    input  wire                    error_read,
    input  wire                    error_write,

    input  wire [31:0]             s_axi_awaddr,
    input  wire [7:0]              s_axi_awlen,
    input  wire [2:0]              s_axi_awsize,
    input  wire                    s_axi_awvalid,
    output wire                    s_axi_awready,
    input  wire [DATA_WIDTH-1:0]   s_axi_wdata,
    input  wire [DATA_WIDTH/8-1:0] s_axi_wstrb,
    input  wire                    s_axi_wlast,
    input  wire                    s_axi_wvalid,
    output wire                    s_axi_wready,
    output wire [1:0]              s_axi_bresp,
    output wire                    s_axi_bvalid,
    input  wire                    s_axi_bready,
    input  wire [1:0]              s_axi_arid,
    input  wire [31:0]             s_axi_araddr,
    input  wire [7:0]              s_axi_arlen,
    input  wire                    s_axi_arvalid,
    output wire                    s_axi_arready,
    output wire [1:0]              s_axi_rid,
    output wire [DATA_WIDTH-1:0]   s_axi_rdata,
    output wire [1:0]              s_axi_rresp,
    output wire                    s_axi_rlast,
    output wire                    s_axi_rvalid,
    input  wire                    s_axi_rready
);

localparam [31:0] BYTES = DATA_WIDTH/8;
localparam [31:0] CREDIT = PER + BEATS - 1;

wire [31:0] latency = LATENCY + {24'd0, later};

// A process of plain variables: what a handshake changes is seen by what stands behind it, in the same clock.
/* verilator lint_off BLKSEQ */
reg [DATA_WIDTH-1:0] mem [0:WORDS-1];
reg [DATA_WIDTH-1:0] record;
integer              file;
integer              bytes;
integer              i;
integer              b;

reg [31:0] now;
reg [31:0] noise;          // LFSR: bits 0 ... 4 pause AR, R, AW, W, B
reg [31:0] r_credit, w_credit;

// Requests that wait, 64 per ID: request n of ID i at 64*i + n mod 64
reg [31:0] ar_addr [0:255];
reg [7:0]  ar_left [0:255];
reg [31:0] ar_due [0:255];
reg [31:0] ar_number [0:255];
reg [5:0]  ar_head [0:3];
reg [5:0]  ar_tail [0:3];
reg [31:0] ar_count;
reg [7:0]  place;
reg [1:0]  id;
reg        found;

// Bursts announced, their data, and the bursts whose data are here
reg [31:0]           aw_addr [0:63];
reg [7:0]            aw_len [0:63];
reg [2:0]            aw_size [0:63];
reg [31:0]           aw_clock [0:63];
reg [5:0]            aw_head, aw_tail;
reg [DATA_WIDTH-1:0] w_data [0:1023];
reg [DATA_WIDTH/8-1:0] w_strb [0:1023];
reg [DATA_WIDTH/8-1:0] strobes;
reg [9:0]            w_head, w_tail;
reg [31:0]           w_clock [0:63];
reg [5:0]            w_bursts;         // tail of w_clock; its head is aw_head
reg                  wrong;
reg [31:0]           addr;

reg                  arready_reg, awready_reg, wready_reg, rvalid_reg, bvalid_reg, rlast_reg;
reg [1:0]            rid_reg, rresp_reg, bresp_reg;
reg [DATA_WIDTH-1:0] rdata_reg;

assign s_axi_arready = arready_reg;
assign s_axi_awready = awready_reg;
assign s_axi_wready = wready_reg;
assign s_axi_rvalid = rvalid_reg;
assign s_axi_rid = rid_reg;
assign s_axi_rdata = rdata_reg;
assign s_axi_rresp = rresp_reg;
assign s_axi_rlast = rlast_reg;
assign s_axi_bvalid = bvalid_reg;
assign s_axi_bresp = bresp_reg;

// Bytes of the bus that a beat of 2^size bytes has
function [DATA_WIDTH/8-1:0] lanes(input [31:0] where, input [2:0] size);
    lanes = ~({(DATA_WIDTH/8){1'b1}} << (32'd1 << size)) << where % BYTES;
endfunction

function outside(input [31:0] where);
    outside = where - base >= WORDS*BYTES;
endfunction

always @(posedge clk) begin
    if (load && $time != 0) begin
        file = $fopen("memory_in.bin", "rb");
        for (i = 0; i < WORDS; i = i + 1) begin
            bytes = $fread(record, file);
            if (bytes != DATA_WIDTH/8) begin
                $display("ERROR: memory_in.bin ends early");
                $finish;
            end
            mem[i] = record;
        end
        $fclose(file);
    end
    if (dump) begin
        file = $fopen("memory_out.bin", "wb");
        for (i = 0; i < WORDS; i = i + 1) begin
            record = mem[i];
            $fwrite(file, "%u", record);
        end
        $fclose(file);
    end

    now = now + 32'd1;     // the clock in which what is decided here is seen
    for (i = 0; i < 5; i = i + 1) noise = {noise[30:0], noise[31] ^ noise[21] ^ noise[1] ^ noise[0]};

    // Handshakes of the clock that ends
    if (s_axi_arvalid && arready_reg) begin
        place = {s_axi_arid, ar_tail[s_axi_arid]};
        ar_addr[place] = s_axi_araddr;
        ar_left[place] = s_axi_arlen;
        ar_due[place] = now - 32'd1 + latency;
        ar_number[place] = ar_count;
        ar_tail[s_axi_arid] = ar_tail[s_axi_arid] + 6'd1;
        ar_count = ar_count + 32'd1;
    end
    if (rvalid_reg && s_axi_rready) rvalid_reg <= 1'b0;
    if (s_axi_awvalid && awready_reg) begin
        aw_addr[aw_tail] = s_axi_awaddr;
        aw_len[aw_tail] = s_axi_awlen;
        aw_size[aw_tail] = s_axi_awsize;
        aw_clock[aw_tail] = now - 32'd1;
        aw_tail = aw_tail + 6'd1;
    end
    if (s_axi_wvalid && wready_reg) begin
        w_credit = w_credit - PER;
        w_data[w_tail] = s_axi_wdata;
        w_strb[w_tail] = s_axi_wstrb;
        w_tail = w_tail + 10'd1;
        if (s_axi_wlast) begin
            w_clock[w_bursts] = now - 32'd1;
            w_bursts = w_bursts + 6'd1;
        end
    end
    if (bvalid_reg && s_axi_bready) bvalid_reg <= 1'b0;
    w_credit = w_credit + BEATS > CREDIT ? CREDIT : w_credit + BEATS;

    // The next beat: of the oldest request, or with stalls of any ID
    if ((!rvalid_reg || s_axi_rready) && !(stalls && noise[1]) && r_credit >= PER) begin
        found = 1'b0;
        id = 2'd0;
        for (i = 0; i < 4; i = i + 1) begin
            place = {i[1:0], ar_head[i[1:0]]};
            if (ar_head[i[1:0]] != ar_tail[i[1:0]] && ar_due[place] <= now) begin
                if (!found || (stalls ? noise[8 + i] : ar_number[place] < ar_number[{id, ar_head[id]}])) id = i[1:0];
                found = 1'b1;
            end
        end
        if (found) begin
            r_credit = r_credit - PER;
            place = {id, ar_head[id]};
            addr = ar_addr[place];
            wrong = error_resp != 2'd0 && error_read && addr >= error_first && addr <= error_last;
            rvalid_reg <= 1'b1;
            rid_reg <= id;
            record = mem[(addr - base)/BYTES % WORDS];
            rdata_reg <= record;
            rresp_reg <= outside(addr) ? 2'd3 : wrong ? error_resp : 2'd0;
            rlast_reg <= ar_left[place] == 8'd0;
            if (ar_left[place] == 8'd0) ar_head[id] = ar_head[id] + 6'd1;
            ar_addr[place] = addr + BYTES;
            ar_left[place] = ar_left[place] - 8'd1;
        end
    end

    r_credit = r_credit + BEATS > CREDIT ? CREDIT : r_credit + BEATS;

    // The next answer
    if ((!bvalid_reg || s_axi_bready) && !(stalls && noise[4]) && aw_head != aw_tail && aw_head != w_bursts
            && aw_clock[aw_head] + latency <= now && w_clock[aw_head] + latency <= now) begin
        wrong = 1'b0;
        bresp_reg <= 2'd0;
        for (i = 0; i <= {24'd0, aw_len[aw_head]}; i = i + 1) begin
            addr = aw_addr[aw_head] + (i << aw_size[aw_head]);
            if (error_resp != 2'd0 && error_write && addr >= error_first && addr <= error_last) begin
                wrong = 1'b1;
                bresp_reg <= error_resp;
            end
            if (outside(addr)) begin
                wrong = 1'b1;
                bresp_reg <= 2'd3;
            end
        end
        for (i = 0; i <= {24'd0, aw_len[aw_head]}; i = i + 1) begin
            addr = aw_addr[aw_head] + (i << aw_size[aw_head]);
            strobes = lanes(addr, aw_size[aw_head]);
            if (w_strb[w_head] != strobes && !rst && $time != 0) begin
                $display("ERROR: strobes %b at %h", w_strb[w_head], addr);
                $finish;
            end
            record = mem[(addr - base)/BYTES % WORDS];
            for (b = 0; b < DATA_WIDTH/8; b = b + 1) if (strobes[b]) record[8*b +: 8] = w_data[w_head][8*b +: 8];
            if (!wrong) mem[(addr - base)/BYTES % WORDS] = record;
            w_head = w_head + 10'd1;
        end
        bvalid_reg <= 1'b1;
        aw_head = aw_head + 6'd1;
    end

    // (room for 16 more of everything: no master has so many on their way that this ever waits)
    arready_reg <= !(stalls && noise[0]);
    awready_reg <= !(stalls && noise[2]);
    wready_reg <= !(stalls && noise[3]) && w_credit >= PER;
    if (rst) begin
        now = 32'd0;
        noise = {16'h5EED, stall_seed};
        ar_count = 32'd0;
        r_credit = CREDIT;
        w_credit = CREDIT;
        for (i = 0; i < 4; i = i + 1) begin
            ar_head[i] = 6'd0;
            ar_tail[i] = 6'd0;
        end
        aw_head = 6'd0;
        aw_tail = 6'd0;
        w_head = 10'd0;
        w_tail = 10'd0;
        w_bursts = 6'd0;
        arready_reg <= 1'b0;
        awready_reg <= 1'b0;
        wready_reg <= 1'b0;
        rvalid_reg <= 1'b0;
        bvalid_reg <= 1'b0;
    end
end
/* verilator lint_on BLKSEQ */

endmodule

`resetall
