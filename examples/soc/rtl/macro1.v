// The macro of bnn1 as synthesis sees it: pins without contents. In simulation the testbench drives the outputs.
module macro1 (
    input [2:0] row, input [0:0] wl_en, input [8:0] bl, input [8:0] col_en,
    input precharge, input evaluate, input sense, input [4:0] cmp_ref,
    output [0:0] cmp, output [0:0] cmp_valid, output [8:0] sl,
    input hv_en, output hv_ready, input [1:0] prog_op, input prog_side, input [7:0] wl_level, input [7:0] prog_level,
    input pulse, input verify, input [1:0] verify_ref
);
endmodule
