// What is simulated: the chip, and the pins of the testbench's bus master.
module dut (
    input clk, input rst,
    input cyc, input stb, input we, input [31:0] adr, input [31:0] dat_w,
    output [31:0] dat_r, output ack, output err, output [1:0] irq
);
    soc soc (
        .clk(clk), .rst(rst), .cyc(cyc), .stb(stb), .we(we), .adr(adr), .dat_w(dat_w),
        .dat_r(dat_r), .ack(ack), .err(err), .irq(irq)
    );
endmodule
