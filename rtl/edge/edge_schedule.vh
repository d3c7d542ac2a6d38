// SPDX-License-Identifier: Apache-2.0
/*
 * Shapes and schedule of the engine as constant functions (docs/edge/overview.md and docs/edge/schedule.md).
 *
 * Included inside the body of a module that has the parameters JUNCTIONS, LAYERS, FAN_OUT and LANES
 * (16 bits per entry, entry 0 in the low bits). Junctions are numbered 1 to JUNCTIONS.
 */

`include "edge_spans.vh"

// neurons of layer i
function integer sch_n;
    input integer i;
    sch_n = {16'd0, LAYERS[16*i +: 16]};
endfunction

// fan-out of junction i
function integer sch_fo;
    input integer i;
    sch_fo = {16'd0, FAN_OUT[16*(i-1) +: 16]};
endfunction

// degree of parallelism z of junction i
function integer sch_z;
    input integer i;
    sch_z = {16'd0, LANES[16*(i-1) +: 16]};
endfunction

// edges of junction i
function integer sch_edges;
    input integer i;
    sch_edges = sch_n(i-1) * sch_fo(i);
endfunction

// fan-in of junction i
function integer sch_fi;
    input integer i;
    sch_fi = sch_edges(i) / sch_n(i);
endfunction

// clocks of junction i per pass
function integer sch_c;
    input integer i;
    sch_c = sch_edges(i) / sch_z(i);
endfunction

// depth of a left memory of junction i, clocks of a sweep
function integer sch_d;
    input integer i;
    sch_d = sch_n(i-1) / sch_z(i);
endfunction

// right neurons of junction i completed per clock
function integer sch_p;
    input integer i;
    sch_p = (sch_z(i) >= sch_fi(i)) ? sch_z(i) / sch_fi(i) : 1;
endfunction

// groups of right neurons of junction i
function integer sch_g;
    input integer i;
    sch_g = sch_n(i) / sch_p(i);
endfunction

// registers in the adder tree of junction i
function integer sch_t;
    input integer i;
    sch_t = (sch_fi(i) == 1 || sch_z(i) == 1) ? 0
        : $clog2((sch_fi(i) < sch_z(i)) ? sch_fi(i) : sch_z(i)) / 2 + 1;
endfunction

// clocks of a pass of the engine
function integer sch_cp;
    input integer unused;
    integer k;
    begin
        sch_cp = unused + `EDGE_SPAN_PASS;
        for (k = 1; k <= JUNCTIONS; k = k + 1)
            if (sch_c(k) > sch_cp) sch_cp = sch_c(k);
    end
endfunction

// passes that hold a span of clocks
function integer sch_passes;
    input integer clocks;
    sch_passes = (clocks + sch_cp(0) - 1) / sch_cp(0);
endfunction

// passes from the admission of a sample to its FF in junction i
function integer sch_ffo;
    input integer i;
    integer k;
    begin
        sch_ffo = 0;
        for (k = 1; k < i; k = k + 1)
            sch_ffo = sch_ffo + sch_passes(sch_c(k) + `EDGE_SPAN_FF_TO_FF + sch_t(k));
    end
endfunction

// first pass in which the left activations of the last junction can be copied for UP in the next
function integer sch_copied;
    input integer first;
    begin
        sch_copied = first;
        if (JUNCTIONS > 1)
            sch_copied = sch_ffo(JUNCTIONS-1)
                + sch_passes(sch_c(JUNCTIONS-1) + `EDGE_SPAN_FF_TO_COPY + sch_t(JUNCTIONS-1));
    end
endfunction

// passes from the admission of a sample to its BP and UP in junction i
function integer sch_upo;
    input integer i;
    integer k;
    begin
        sch_upo = sch_ffo(JUNCTIONS) + sch_passes(sch_c(JUNCTIONS) + `EDGE_SPAN_FF_TO_DELTA + sch_t(JUNCTIONS));
        if (sch_upo <= sch_copied(0)) sch_upo = sch_copied(0) + 1;
        for (k = JUNCTIONS; k > i; k = k - 1)
            sch_upo = sch_upo + sch_passes(sch_c(k) + `EDGE_SPAN_SUM_TO_DELTA);
    end
endfunction

// frames the loader may be ahead of the engine
function integer sch_ahead;
    input integer minimum;
    begin
        sch_ahead = 1 + sch_passes(`EDGE_SPAN_FREE + `EDGE_SPAN_REFILL);
        if (sch_ahead < minimum) sch_ahead = minimum;
    end
endfunction

// frames held by the left bank of junction i for FF
function integer sch_ff_slots;
    input integer i;
    sch_ff_slots = (i == 1) ? 1 + sch_ahead(`EDGE_SPAN_AHEAD) : sch_ffo(i) - sch_ffo(i-1) + 1;
endfunction

// frames held by the left bank of junction i until they are copied for UP
function integer sch_left_slots;
    input integer i;
    sch_left_slots = (i == 1) ? sch_upo(1) + sch_ahead(`EDGE_SPAN_AHEAD) : sch_upo(i) - sch_ffo(i-1);
endfunction

// global number of the first LFSR lane of junction i
function integer sch_lane_base;
    input integer i;
    integer k;
    begin
        sch_lane_base = 0;
        for (k = 1; k < i; k = k + 1)
            sch_lane_base = sch_lane_base + sch_z(k) + sch_p(k);
    end
endfunction
