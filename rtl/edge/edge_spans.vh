// SPDX-License-Identifier: Apache-2.0
/*
 * Clocks of the edge engine's schedule
 *
 * Made by `make generate` from models/edge/stages.py: change that, not this.
 *
 * They are macros: every tool takes one as the range of a slice, word[`NAME], and none warns of those that a module
 * does not use, as it would of parameters.
 */
`ifndef EDGELOOM_EDGE_SPANS_VH
`define EDGELOOM_EDGE_SPANS_VH

// Clocks that the schedule of the edge engine is made of
`define EDGE_SPAN_PASS         4   // least clocks of a pass: a row of weights must be written before it is read again
`define EDGE_SPAN_FF_TO_FF     7   // FF of a junction to that of the next; and the adder tree
`define EDGE_SPAN_FF_TO_COPY   9   // FF of a junction to the copy for UP in the next; and tree
`define EDGE_SPAN_SUM_TO_DELTA 10  // BP of a junction to that of the one before
`define EDGE_SPAN_FF_TO_DELTA  13  // FF of the output junction to its BP; and the adder tree
`define EDGE_SPAN_COPY         3   // first row of a pass to the first activations that are copied for UP
`define EDGE_SPAN_FREE         8   // end of the FF pass of a sample to its free slot
`define EDGE_SPAN_REFILL       4   // free slot to the next sample in it, that can be admitted
`define EDGE_SPAN_AHEAD        2   // least frames that wait in the ring of inputs
`define EDGE_SPAN_OUT          16  // last row of a sample to its prediction at the port; and trees and beats
`define EDGE_SPAN_RUN          16  // clocks of a run outside its passes

`endif
