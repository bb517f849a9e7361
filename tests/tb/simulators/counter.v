module counter(input clk, output reg [7:0] count);
  parameter START = 3;
  initial count = START;
  always @(posedge clk) count <= count + 1;
endmodule
