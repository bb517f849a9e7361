"""The Caravel-style wrapper on its bus: no error line, byte selects 0 on reads, addresses of nobody."""

import subprocess

import pytest

from bridgebnn.hdl.spec.register_map import register_map
from bridgebnn.kit.build import write_kit
from tests.cosim.small import GEOMETRY
from tests.kit.test_kit import request as kit_request

BENCH = """`timescale 1ns / 1ps
module bench;
  reg clk = 0, rst = 1, stb = 0, we = 0;
  reg [3:0] sel = 0;
  reg [31:0] adr = 0, dat = 0, got;
  wire ack;
  wire [31:0] data;
  wire [127:0] la;
  integer cycles;
  always #10 clk = !clk;
  user_project_wrapper dut (.wb_clk_i(clk), .wb_rst_i(rst), .wbs_stb_i(stb), .wbs_cyc_i(stb), .wbs_we_i(we),
    .wbs_sel_i(sel), .wbs_dat_i(dat), .wbs_adr_i(adr), .wbs_ack_o(ack), .wbs_dat_o(data), .la_data_in(128'h0),
    .la_data_out(la), .la_oenb(128'h0), .io_in(38'h0), .user_clock2(1'b0));
  task access(input w, input [31:0] a, input [31:0] d, input [3:0] s);
    begin
      stb = 1; we = w; adr = a; dat = d; sel = s; cycles = 0;
      @(posedge clk);
      while (!ack && cycles < 20) begin @(posedge clk); cycles = cycles + 1; end
      $display("%h %0d %h %0d", a, ack, data, la[0]);
      #1 stb = 0;
      @(posedge clk) #1;
    end
  endtask
  initial begin
    repeat (4) @(posedge clk);
    #1 rst = 0;
    access(0, 32'h3000_0000, 0, 4'h0);
    access(0, 32'h3002_0000, 0, 4'hf);
    access(0, 32'h3000_0000, 0, 4'hf);
    access(1, 32'h3000_0000, 1, 4'hf);
    access(0, 32'h3000_0000, 0, 4'h0);
    $finish;
  end
endmodule
"""


@pytest.mark.icarus
def test_the_wrapper_answers_every_access(tmp_path):
    write_kit(kit_request(), tmp_path / "kit")
    (tmp_path / "bench.v").write_text(BENCH)
    folder = tmp_path / "kit"
    files = [
        *(folder / "rtl.f").read_text().split(),
        "flows/chip_user_project_wrapper.v",
        str(tmp_path / "bench.v"),
    ]
    files.remove("macro/chip_macro_stub.v")
    compiler = ["iverilog", "-g2005", "-s", "bench", "-o", str(tmp_path / "a"), "macro/chip_macro.v", *files]
    subprocess.run(compiler, cwd=folder, check=True)
    done = subprocess.run(["vvp", tmp_path / "a"], capture_output=True, text=True, check=True, timeout=120)
    lines = [line.split() for line in done.stdout.splitlines() if line[:2] == "30"]
    name = f"{register_map(GEOMETRY).register('ID').reset:08x}"
    assert lines[:3] == [
        ["30000000", "1", name, "0"],
        ["30020000", "1", "00000000", "0"],
        ["30000000", "1", name, "0"],
    ]
    assert lines[3][1] == "1"  # a write of ID is refused, yet acknowledged
    assert lines[4] == ["30000000", "1", name, "1"]  # and remembered
