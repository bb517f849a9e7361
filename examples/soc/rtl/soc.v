// A small chip: a RAM and two controllers of different geometry behind one Wishbone bus. Byte addresses:
//   0x0000_0000  RAM, 1 KiB      0x1000_0000  bnn0, 128 KiB      0x2000_0000  bnn1, 128 KiB
// Everything else ends in `err`. Geometries: controllers.mk.
module soc (
    input clk, input rst,
    input cyc, input stb, input we, input [31:0] adr, input [31:0] dat_w,
    output [31:0] dat_r, output ack, output err, output [1:0] irq
);
    wire at_ram = adr[31:10] == 22'h000000;
    wire at_bnn0 = adr[31:17] == 15'h0800;
    wire at_bnn1 = adr[31:17] == 15'h1000;

    reg [31:0] ram [0:255];
    reg [31:0] ram_r;
    reg ram_ack, nobody;
    always @(posedge clk) begin
        ram_ack <= !rst && cyc && stb && at_ram && !ram_ack;
        nobody <= !rst && cyc && stb && !at_ram && !at_bnn0 && !at_bnn1 && !nobody;
        if (cyc && stb && at_ram && we) ram[adr[9:2]] <= dat_w;
        ram_r <= ram[adr[9:2]];
    end

    wire [31:0] bnn0_r, bnn1_r;
    wire bnn0_ack, bnn0_err, bnn1_ack, bnn1_err;
    assign dat_r = at_bnn0 ? bnn0_r : at_bnn1 ? bnn1_r : ram_r;
    assign ack = ram_ack | bnn0_ack | bnn1_ack;
    assign err = nobody | bnn0_err | bnn1_err;

    // bnn0 has no macro here: its inputs are open, and the testbench drives them at `dut.soc.bnn0`.
    bnn0 bnn0 (
        .clk(clk), .rst(rst), .wb_cyc(cyc & at_bnn0), .wb_stb(stb & at_bnn0), .wb_we(we), .wb_adr(adr[16:2]),
        .wb_dat_w(dat_w), .wb_sel(4'b1111), .wb_dat_r(bnn0_r), .wb_ack(bnn0_ack), .wb_err(bnn0_err), .irq(irq[0]),
        .row(), .wl_en(), .bl(), .col_en(), .precharge(), .evaluate(), .sense(), .cmp_ref(), .cmp(), .cmp_valid(),
        .sl(), .hv_en(), .hv_ready(), .prog_op(), .prog_side(), .wl_level(), .prog_level(), .pulse(), .verify(),
        .verify_ref()
    );

    // bnn1 is wired to its macro as on the chip. For simulation that is a module without contents, whose outputs the
    // testbench drives at `dut.soc.macro1`.
    wire [2:0] row;
    wire [0:0] wl_en, cmp, cmp_valid;
    wire [8:0] bl, col_en, sl;
    wire [4:0] cmp_ref;
    wire [7:0] wl_level, prog_level;
    wire [1:0] prog_op, verify_ref;
    wire precharge, evaluate, sense, hv_en, hv_ready, prog_side, pulse, verify;
    bnn1 bnn1 (
        .clk(clk), .rst(rst), .wb_cyc(cyc & at_bnn1), .wb_stb(stb & at_bnn1), .wb_we(we), .wb_adr(adr[16:2]),
        .wb_dat_w(dat_w), .wb_sel(4'b1111), .wb_dat_r(bnn1_r), .wb_ack(bnn1_ack), .wb_err(bnn1_err), .irq(irq[1]),
        .row(row), .wl_en(wl_en), .bl(bl), .col_en(col_en), .precharge(precharge), .evaluate(evaluate), .sense(sense),
        .cmp_ref(cmp_ref), .cmp(cmp), .cmp_valid(cmp_valid), .sl(sl), .hv_en(hv_en), .hv_ready(hv_ready),
        .prog_op(prog_op), .prog_side(prog_side), .wl_level(wl_level), .prog_level(prog_level), .pulse(pulse),
        .verify(verify), .verify_ref(verify_ref)
    );
    macro1 macro1 (
        .row(row), .wl_en(wl_en), .bl(bl), .col_en(col_en), .precharge(precharge), .evaluate(evaluate), .sense(sense),
        .cmp_ref(cmp_ref), .cmp(cmp), .cmp_valid(cmp_valid), .sl(sl), .hv_en(hv_en), .hv_ready(hv_ready),
        .prog_op(prog_op), .prog_side(prog_side), .wl_level(wl_level), .prog_level(prog_level), .pulse(pulse),
        .verify(verify), .verify_ref(verify_ref)
    );
endmodule
