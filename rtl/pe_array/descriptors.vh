// SPDX-License-Identifier: Apache-2.0
/*
 * Descriptors of the PE array's programs, causes of errors, engines, commands
 *
 * Made by `make generate` from models/pe_array/isa/descriptors.py and files beside it: change that, not this.
 *
 * They are macros: every tool takes one as the range of a slice, word[`NAME], and none warns of those that a module
 * does not use, as it would of parameters.
 */
`ifndef EDGELOOM_DESCRIPTORS_VH
`define EDGELOOM_DESCRIPTORS_VH

// Why a program was stopped
`define ARRAY_CAUSE_OPCODE       4'd1   // unknown opcode
`define ARRAY_CAUSE_FIELD        4'd2   // an illegal field
`define ARRAY_CAUSE_ADDRESS      4'd3   // an address outside the window that the host opened, or misaligned
`define ARRAY_CAUSE_READ_SLVERR  4'd4   // SLVERR while reading
`define ARRAY_CAUSE_READ_DECERR  4'd5   // DECERR while reading
`define ARRAY_CAUSE_WRITE_SLVERR 4'd6   // SLVERR while writing
`define ARRAY_CAUSE_WRITE_DECERR 4'd7   // DECERR while writing
`define ARRAY_CAUSE_POINTERS     4'd8   // CSB: block pointers that do not start at 0, fall, or end elsewhere
`define ARRAY_CAUSE_COORDINATE   4'd9   // CSB: a coordinate beyond its block
`define ARRAY_CAUSE_HOST         4'd10  // stopped by the host

// Engines: their numbers in STATUS, and upper digit of the opcode
`define ARRAY_ENGINE_FETCH   2'd0  // fetch and dispatch of the program
`define ARRAY_ENGINE_LOAD    2'd1  // load engine
`define ARRAY_ENGINE_COMPUTE 2'd2  // compute engine
`define ARRAY_ENGINE_STORE   2'd3  // store engine

// Operations of a processing element
`define ARRAY_OP_MAC    2'd0  // sums of products of weights and pixels
`define ARRAY_OP_GRAD   2'd1  // gradients of weights: sums of products over pixels and images
`define ARRAY_OP_MAX    2'd2  // the largest pixel of a window, and which one it is
`define ARRAY_OP_UNPOOL 2'd3  // a gradient goes to where the largest pixel was

// Fields of a command that every PE has for itself
`define ARRAY_FIELD_ELEMENTS 3'd0  // elements of the list
`define ARRAY_FIELD_CLEAR    3'd1  // words of Y to clear first
`define ARRAY_FIELD_TAPS     3'd2  // taps of an element
`define ARRAY_FIELD_TBASE    3'd3  // first word of the taps in T
`define ARRAY_FIELD_XSTRIDE  3'd4  // words of X per channel
`define ARRAY_FIELD_YSTRIDE  3'd5  // words of Y per channel

// Memories of a processing element, as its load port selects them
`define ARRAY_MEMORY_X 3'd0  // input map
`define ARRAY_MEMORY_Y 3'd1  // accumulators, or the map of gradients
`define ARRAY_MEMORY_W 3'd2  // weights
`define ARRAY_MEMORY_E 3'd3  // elements: which weight meets which channel
`define ARRAY_MEMORY_T 3'd4  // taps: offsets of a window

// Memories that a stream can go to
`define ARRAY_STREAM_W 2'd0  // weights
`define ARRAY_STREAM_E 2'd1  // elements
`define ARRAY_STREAM_T 2'd2  // taps

// Registers of the window that a processing element holds of a map
`define ARRAY_WINDOW_X_COLUMNS 3'd0  // columns that X takes
`define ARRAY_WINDOW_X_ROWS    3'd1  // rows that X takes
`define ARRAY_WINDOW_Y_COLUMNS 3'd2  // columns that Y takes
`define ARRAY_WINDOW_Y_ROWS    3'd3  // rows that Y takes
`define ARRAY_WINDOW_SLOT      3'd4  // slot of the PE

// What of an accumulator becomes the byte of an output
`define ARRAY_BYTE_SUM   2'd0  // the sum, requantised
`define ARRAY_BYTE_VALUE 2'd1  // the largest pixel of a window
`define ARRAY_BYTE_INDEX 2'd2  // its place in the window

// What a drain reads of each channel
`define ARRAY_RECORDS_NONE   2'd0  // nothing
`define ARRAY_RECORDS_BIASES 2'd1  // its bias
`define ARRAY_RECORDS_FULL   2'd2  // its bias, multiplier and shift

// Opcodes, and the first and last of an engine
`define ARRAY_OPCODE_WINDOW        8'h10
`define ARRAY_OPCODE_MAP           8'h11
`define ARRAY_OPCODE_STREAM        8'h12
`define ARRAY_OPCODE_POINTERS      8'h13
`define ARRAY_OPCODE_LOAD_FIRST    8'h10
`define ARRAY_OPCODE_LOAD_LAST     8'h13
`define ARRAY_OPCODE_SET           8'h20
`define ARRAY_OPCODE_COMPUTE       8'h21
`define ARRAY_OPCODE_COMPUTE_FIRST 8'h20
`define ARRAY_OPCODE_COMPUTE_LAST  8'h21
`define ARRAY_OPCODE_DRAIN         8'h30
`define ARRAY_OPCODE_OUTPUT        8'h31
`define ARRAY_OPCODE_SLOT          8'h32
`define ARRAY_OPCODE_COLLECT       8'h33
`define ARRAY_OPCODE_UPDATE        8'h34
`define ARRAY_OPCODE_DELTA         8'h35
`define ARRAY_OPCODE_SCALES        8'h36
`define ARRAY_OPCODE_LEARN         8'h37
`define ARRAY_OPCODE_STORE_FIRST   8'h30
`define ARRAY_OPCODE_STORE_LAST    8'h37

// Bits of a descriptor: what all have
`define ARRAY_D_OPCODE         7:0
`define ARRAY_D_AFTER_LOADS    31:8   // loads that must be done
`define ARRAY_D_AFTER_COMPUTES 55:32  // computes that must be done
`define ARRAY_D_AFTER_STORES   87:64  // stores that must be done

// WINDOW: Windows of a PE for map loads: (first, last + 1) columns and rows, in the whole map
`define ARRAY_D_WINDOW_PE        63:56    // PE
`define ARRAY_D_WINDOW_SLOT      95:88    // its slot
`define ARRAY_D_WINDOW_X_COLUMNS 119:96   // columns that X takes
`define ARRAY_D_WINDOW_X_ROWS    151:128  // rows that X takes
`define ARRAY_D_WINDOW_Y_COLUMNS 183:160  // columns that Y takes
`define ARRAY_D_WINDOW_Y_ROWS    215:192  // rows that Y takes

// MAP: Load of a map to X or Y
`define ARRAY_D_MAP_SHIFT      59:56    // left shift of a byte that goes to Y
`define ARRAY_D_MAP_Y          60       // to Y, else to X
`define ARRAY_D_MAP_ALL        61       // for the PEs of all slots
`define ARRAY_D_MAP_SLOT       95:88    // else for those of this slot
`define ARRAY_D_MAP_ADDRESS    127:96   // of the first run
`define ARRAY_D_MAP_RUN_BEATS  143:128  // beats of a run, less one
`define ARRAY_D_MAP_RUNS       156:144  // runs, less one
`define ARRAY_D_MAP_RUN_STRIDE 179:160  // beats from run to run
`define ARRAY_D_MAP_WIDTH      191:180  // columns of the map
`define ARRAY_D_MAP_CHANNELS   204:192  // channels, at most 4096
`define ARRAY_D_MAP_BASE       216:205  // first word in every PE
`define ARRAY_D_MAP_ROW        235:224  // first row
`define ARRAY_D_MAP_ROWS       247:236  // rows

// STREAM: Load of beats to W, E or T
`define ARRAY_D_STREAM_MEMORY      57:56    // 0 W, 1 E, 2 T
`define ARRAY_D_STREAM_CHECK       88       // check the coordinates
`define ARRAY_D_STREAM_ADDRESS     127:96   // of the first beat
`define ARRAY_D_STREAM_BEATS       139:128  // beats, less one
`define ARRAY_D_STREAM_WORD        151:140  // word of the memory that the first goes to
`define ARRAY_D_STREAM_ROW_MAX     167:160  // largest row
`define ARRAY_D_STREAM_COL_MAX     175:168  // largest column
`define ARRAY_D_STREAM_COORDINATES 187:176  // how many coordinates are checked
`define ARRAY_D_STREAM_PES         255:192  // mask of the PEs that take it

// POINTERS: Check of the block pointers of a matrix: they start at 0, do not fall, and end at elements
`define ARRAY_D_POINTERS_ADDRESS  127:96   // of the first pointer
`define ARRAY_D_POINTERS_BLOCKS   147:128  // blocks; there is one pointer more
`define ARRAY_D_POINTERS_ELEMENTS 191:160  // elements of the matrix

// SET: A field of the commands that follow, which every PE has for itself
`define ARRAY_D_SET_FIELD 58:56    // 0 elements, 1 clear, 2 taps, 3 tbase, 4 xstride, 5 ystride
`define ARRAY_D_SET_VALUE 107:96   // its value
`define ARRAY_D_SET_PES   255:192  // mask of the PEs that take it

// COMPUTE: A command for all PEs
`define ARRAY_D_COMPUTE_OP         57:56    // 0 MAC, 1 GRAD, 2 MAX, 3 UNPOOL
`define ARRAY_D_COMPUTE_SWAP       58       // a coordinate's column is the output row
`define ARRAY_D_COMPUTE_TILES_LOG2 90:88    // log2 of the PEs of a slot (GRAD)
`define ARRAY_D_COMPUTE_EBASE      107:96   // first word of E
`define ARRAY_D_COMPUTE_WBASE      119:108  // first word of W
`define ARRAY_D_COMPUTE_XBASE      139:128  // first word of X
`define ARRAY_D_COMPUTE_WSTRIDE    146:140  // bytes of weights per element
`define ARRAY_D_COMPUTE_YBASE      171:160  // first word of Y
`define ARRAY_D_COMPUTE_RBASE      183:172  // first word of the results (UNPOOL)

// DRAIN: Accumulators of a region through requantise to where the last Output says
`define ARRAY_D_DRAIN_SLOTS         62:56    // slots
`define ARRAY_D_DRAIN_LIMITED       63       // what is high or above has no gradient, as what a ReLU stops
`define ARRAY_D_DRAIN_SY_LOG2       90:88    // log2 of the tiles on top of each other
`define ARRAY_D_DRAIN_SX_LOG2       93:91    // log2 of the tiles side by side
`define ARRAY_D_DRAIN_WINDOWS       94       // the largest of every 2 x 2 pixels
`define ARRAY_D_DRAIN_INDEX         95       // write places of these, or spread words by them
`define ARRAY_D_DRAIN_CHANNELS      107:96   // channels of a slot
`define ARRAY_D_DRAIN_CHANNELS_LAST 119:108  // channels of the last slot
`define ARRAY_D_DRAIN_HEIGHT        139:128  // rows of the region
`define ARRAY_D_DRAIN_WIDTH         151:140  // columns of the region
`define ARRAY_D_DRAIN_TILE_HEIGHT   171:160  // rows of a tile
`define ARRAY_D_DRAIN_TILE_WIDTH    183:172  // columns of a tile
`define ARRAY_D_DRAIN_YBASE         203:192  // first word of Y
`define ARRAY_D_DRAIN_YSTRIDE       215:204  // words of Y per channel

// OUTPUT: Where the drains that follow go: groups of runs of beats, which together must be as long as the drain
`define ARRAY_D_OUTPUT_SHIFT        60:56    // right shift of a sum
`define ARRAY_D_OUTPUT_FIELD        89:88    // 0 sum, 1 value of MAX, 2 its index
`define ARRAY_D_OUTPUT_STOCHASTIC   90       // stochastic rounding
`define ARRAY_D_OUTPUT_RELU         91       // ReLU
`define ARRAY_D_OUTPUT_USE_MASK     92       // 0 where the mask is not positive
`define ARRAY_D_OUTPUT_ADDRESS      127:96   // of the first run
`define ARRAY_D_OUTPUT_MASK         159:128  // address of the mask
`define ARRAY_D_OUTPUT_RUN_BEATS    175:160  // beats of a run, less one
`define ARRAY_D_OUTPUT_RUNS         187:176  // runs of a group, less one
`define ARRAY_D_OUTPUT_RUN_STRIDE   211:192  // beats from run to run
`define ARRAY_D_OUTPUT_GROUPS       223:212  // groups, less one
`define ARRAY_D_OUTPUT_GROUP_STRIDE 243:224  // beats from group to group

// SLOT: For the next Collect or Learn: where a slot's gradients go
`define ARRAY_D_SLOT_SLOT      61:56    // slot
`define ARRAY_D_SLOT_BEAT      119:96   // beat of the gradients, or masters, that the first goes to
`define ARRAY_D_SLOT_GRADIENTS 151:128  // gradients; 0: as if not named

// COLLECT: Gradients of the slots named since the last one, B/4 to a beat
`define ARRAY_D_COLLECT_ADD     56      // to what is there, modulo 2^32
`define ARRAY_D_COLLECT_ADDRESS 127:96  // of the gradient array

// UPDATE: New masters, momenta (where decay is not 0) and MAC weights
`define ARRAY_D_UPDATE_SHIFT        60:56    // right shift of a gradient: the learning rate
`define ARRAY_D_UPDATE_STOCHASTIC   61       // stochastic rounding
`define ARRAY_D_UPDATE_NESTEROV     62       // the step is Nesterov's, else the momentum
`define ARRAY_D_UPDATE_DECAY        91:88    // shift of the decay of momenta; 0: there are none
`define ARRAY_D_UPDATE_GRADIENTS    127:96   // address of the gradients
`define ARRAY_D_UPDATE_MASTERS      159:128  // address of the masters
`define ARRAY_D_UPDATE_MOMENTA      191:160  // address of the momenta
`define ARRAY_D_UPDATE_WEIGHTS      223:192  // address of the MAC weights
`define ARRAY_D_UPDATE_BEATS        247:224  // beats of MAC weights; of the other arrays four times as many, less one
`define ARRAY_D_UPDATE_WEIGHT_DECAY 252:248  // shift of the decay of masters; 0: they do not decay
`define ARRAY_D_UPDATE_ARRAYS_LOG2  255:253  // log2 of the arrays of gradients, which are added modulo 2^32

// DELTA: Deltas of an output layer: one beat each of logits and of the result per class
`define ARRAY_D_DELTA_SOFTMAX 56       // softmax with cross-entropy, else sigmoid
`define ARRAY_D_DELTA_LOGITS  127:96   // address of the logits
`define ARRAY_D_DELTA_LABELS  159:128  // address of the labels, one beat
`define ARRAY_D_DELTA_OUTPUT  191:160  // address of the result; it may be that of the logits
`define ARRAY_D_DELTA_CLASSES 203:192  // classes, at most 256, less one

// SCALES: How the sums of the drains that follow are scaled
`define ARRAY_D_SCALES_RECORDS           57:56
`define ARRAY_D_SCALES_EVEN              58       // round halves to even, else up
`define ARRAY_D_SCALES_ADDEND            59       // add a map
`define ARRAY_D_SCALES_MASK_HIGH         60       // 0 where the mask is high or above, too; then high limits no result
`define ARRAY_D_SCALES_NEAR_HALF         61       // even: what is less than 2^-15 above a half is one, too
`define ARRAY_D_SCALES_BIAS_SHIFT        91:88    // right shift of a bias, half up
`define ARRAY_D_SCALES_ADDRESS           127:96   // of the first record, a multiple of its 4 or 8 bytes
`define ARRAY_D_SCALES_BIAS              159:128  // else the bias of all channels
`define ARRAY_D_SCALES_MULTIPLIER        183:160  // else the multiplier of all channels, 2^23 is 1.0
`define ARRAY_D_SCALES_ADDEND_MULTIPLIER 215:192  // its multiplier, 2^23 is 1.0
`define ARRAY_D_SCALES_ADDEND_SHIFT      220:216  // its right shift
`define ARRAY_D_SCALES_ZERO              231:224  // zero point of the result
`define ARRAY_D_SCALES_LOW               239:232  // least result
`define ARRAY_D_SCALES_HIGH              247:240  // largest result
`define ARRAY_D_SCALES_ADDEND_ZERO       255:248  // its zero point
`define ARRAY_D_SCALES_DEFAULT           256'h007F800000800000008000000000000000000000000000000000000000000036
`define ARRAY_POOL_BEATS                 64
`define ARRAY_MULTIPLIER_BITS            24
`define ARRAY_MULTIPLIER_ONE             24'h800000

// LEARN: Gradients of the slots named since the last one, at once to new masters, momenta and MAC weights
`define ARRAY_D_LEARN_SHIFT        60:56    // right shift of a gradient: the learning rate
`define ARRAY_D_LEARN_STOCHASTIC   61       // stochastic rounding
`define ARRAY_D_LEARN_NESTEROV     62       // the step is Nesterov's, else the momentum
`define ARRAY_D_LEARN_DECAY        91:88    // shift of the decay of momenta; 0: there are none
`define ARRAY_D_LEARN_MASTERS      127:96   // address of the masters
`define ARRAY_D_LEARN_MOMENTA      191:160  // address of the momenta
`define ARRAY_D_LEARN_WEIGHTS      223:192  // address of the MAC weights
`define ARRAY_D_LEARN_WEIGHT_DECAY 252:248  // shift of the decay of masters; 0: they do not decay

// Bits that no field of the opcodes of a module has
`define ARRAY_D_UNUSED_LOAD(d)    {d[159:157], d[87:64], d[55:8]}
`define ARRAY_D_UNUSED_COMPUTE(d) {d[191:184], d[159:147], d[127:120], d[95:91], d[87:59], d[55:8]}
`define ARRAY_D_UNUSED_DRAIN(d)   {d[191:188], d[87:64], d[55:8]}
`define ARRAY_D_UNUSED_SCALES(d)  {d[223:221], d[191:184], d[95:92], d[87:62], d[55:0]}
`define ARRAY_D_UNUSED_COLLECT(d) {d[255:152], d[95:62], d[55:8]}
`define ARRAY_D_UNUSED_UPDATE(d)  {d[95:92], d[87:63], d[55:0]}
`define ARRAY_D_UNUSED_LEARN(d)   {d[255:253], d[247:224], d[159:128], d[95:92], d[87:63], d[55:0]}
`define ARRAY_D_UNUSED_DELTA(d)   {d[255:204], d[95:57], d[55:0]}

// Record of a channel in memory; one of biases alone is its first word
`define ARRAY_RECORD_BIAS       31:0   // added to the sum
`define ARRAY_RECORD_MULTIPLIER 55:32  // of the sum, 2^23 is 1.0
`define ARRAY_RECORD_SHIFT      60:56  // right shift of the product, besides the 23 of the multiplier
`define ARRAY_RECORD_UNUSED(r)  {r[63:61]}

// Command on map_cmd: how many bits, and those of its fields
`define ARRAY_MAP_CMD_BITS     73
`define ARRAY_MAP_CMD_SHIFT    3:0    // left shift of a byte that goes to Y
`define ARRAY_MAP_CMD_BASE     15:4   // first word in every PE
`define ARRAY_MAP_CMD_SLOT     21:16  // else for those of this slot
`define ARRAY_MAP_CMD_ALL      22     // for the PEs of all slots
`define ARRAY_MAP_CMD_Y        23     // to Y, else to X
`define ARRAY_MAP_CMD_WIDTH    35:24  // columns of the map
`define ARRAY_MAP_CMD_ROWS     47:36  // rows
`define ARRAY_MAP_CMD_ROW      59:48  // first row
`define ARRAY_MAP_CMD_CHANNELS 72:60  // channels, at most 4096

// Command on drain_cmd: how many bits, and those of its fields
`define ARRAY_DRAIN_CMD_BITS          106
`define ARRAY_DRAIN_CMD_SLOTS         6:0     // slots
`define ARRAY_DRAIN_CMD_CHANNELS      18:7    // channels of a slot
`define ARRAY_DRAIN_CMD_CHANNELS_LAST 30:19   // channels of the last slot
`define ARRAY_DRAIN_CMD_HEIGHT        42:31   // rows of the region
`define ARRAY_DRAIN_CMD_WIDTH         54:43   // columns of the region
`define ARRAY_DRAIN_CMD_TILE_HEIGHT   66:55   // rows of a tile
`define ARRAY_DRAIN_CMD_TILE_WIDTH    78:67   // columns of a tile
`define ARRAY_DRAIN_CMD_SY_LOG2       81:79   // log2 of the tiles on top of each other
`define ARRAY_DRAIN_CMD_SX_LOG2       84:82   // log2 of the tiles side by side
`define ARRAY_DRAIN_CMD_YBASE         94:85   // first word of Y
`define ARRAY_DRAIN_CMD_YSTRIDE       104:95  // words of Y per channel
`define ARRAY_DRAIN_CMD_WINDOWS       105     // the largest of every 2 x 2 pixels

`endif
