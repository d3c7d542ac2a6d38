// SPDX-License-Identifier: Apache-2.0
/*
 * Cause of an access that a memory port refused, or that the memory answered with an error
 *
 * Included inside the body of a module, behind descriptors.vh. An answer is the error of axi_read or axi_write:
 * 0 none, for which the cause is 0; 1 refused by the port; 2 SLVERR; 3 DECERR.
 */

function [3:0] read_cause;
    input [1:0] answer;
    case (answer)
        2'd0: read_cause = 4'd0;
        2'd1: read_cause = `ARRAY_CAUSE_ADDRESS;
        2'd2: read_cause = `ARRAY_CAUSE_READ_SLVERR;
        default: read_cause = `ARRAY_CAUSE_READ_DECERR;
    endcase
endfunction

function [3:0] write_cause;
    input [1:0] answer;
    case (answer)
        2'd0: write_cause = 4'd0;
        2'd1: write_cause = `ARRAY_CAUSE_ADDRESS;
        2'd2: write_cause = `ARRAY_CAUSE_WRITE_SLVERR;
        default: write_cause = `ARRAY_CAUSE_WRITE_DECERR;
    endcase
endfunction
