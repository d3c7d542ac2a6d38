// SPDX-License-Identifier: Apache-2.0
/*
 * Parameter checks that stop elaboration.
 *
 *   `REQUIRE(g_z, W % Z == 0, ("%m: Z = %0d must divide W = %0d", Z, W))
 *
 * stands among the items of a module. Where the condition does not hold, the tool prints the message
 * and stops: Verilator and Yosys while they elaborate, other tools (Icarus among them, which knows no
 * elaboration-time $error in Verilog) before the first clock.
 */
`ifndef EDGELOOM_REQUIRE_VH
`define EDGELOOM_REQUIRE_VH
`ifdef VERILATOR
`define EDGELOOM_STOP(msg) $error msg ;
`elsif YOSYS
`define EDGELOOM_STOP(msg) $error msg ;
`else
`define EDGELOOM_STOP(msg) initial begin $display msg ; $finish_and_return(2); end
`endif
`define REQUIRE(label, cond, msg) generate if (!(cond)) begin : label `EDGELOOM_STOP(msg) end endgenerate
`endif
