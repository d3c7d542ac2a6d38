// SPDX-License-Identifier: Apache-2.0
/*
 * Parameter checks that stop elaboration.
 *
 *   `REQUIRE(g_z, W % Z == 0, ("%m: Z = %0d must divide W = %0d", Z, W))
 *
 * stands among the items of a module. Where the condition does not hold, elaboration stops: Verilator and Yosys print
 * the message. Icarus, which knows no $error outside of procedures, prints it before the first clock and ends. Other
 * tools may ignore both, so there a module is asked for that does not exist: their error names it, and the label.
 */
`ifndef EDGELOOM_REQUIRE_VH
`define EDGELOOM_REQUIRE_VH
`ifdef VERILATOR
`define EDGELOOM_STOP(msg) $error msg ;
`elsif YOSYS
`define EDGELOOM_STOP(msg) $error msg ;
`elsif __ICARUS__
`define EDGELOOM_STOP(msg) initial begin $display msg ; $finish_and_return(2); end
`else
`define EDGELOOM_STOP(msg) edgeloom_illegal_parameter stop ();
`endif
`define REQUIRE(label, cond, msg) generate if (!(cond)) begin : label `EDGELOOM_STOP(msg) end endgenerate
`endif
