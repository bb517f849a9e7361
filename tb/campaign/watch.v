// Monitor of the controller's pins in every cycle, and the place from which bits of its registers are flipped.
//
// It judges by the pins and the bus alone: what is unlocked, how long a pulse may be and when a command was aborted
// follows from the writes that the bus acknowledged. Only the busy flag and the states of the sequencers are looked
// up inside. It looks in the middle of a cycle, where neither clocked nor driven pins move.
// tb/campaign/watch.py fills in the flips; rules are numbered as in its RULES.
module bridgebnn_watch #(
  parameter T = 1, C = 1, AW = 1, FW = 2, ROWS = 1,
  parameter WIDTH_FORM = 1, WIDTH_SET = 1, WIDTH_RESET = 1, BUDGET = 1,
  parameter KEY0 = 0, KEY1 = 0  // what unlocks programming
)(
  input clk, input rst,
  input wb_cyc, input wb_stb, input wb_we, input [14:0] wb_adr, input [31:0] wb_dat_w, input [3:0] wb_sel,
  output [31:0] wb_dat_r, output wb_ack, output wb_err, output irq,
  output [AW-1:0] row, output [T-1:0] wl_en, output [T*C-1:0] bl, output [T*C-1:0] col_en,
  output precharge, output evaluate, output sense, output [FW-1:0] cmp_ref,
  output hv_en, output [1:0] prog_op, output prog_side, output [7:0] wl_level, output [7:0] prog_level,
  output pulse, output verify, output [1:0] verify_ref,
  input [T-1:0] cmp, input [T-1:0] cmp_valid, input [T*C-1:0] sl, input hv_ready,
  input watch_clear,          // forget what was seen
  input watch_shape,          // hold pulses to the width and budget that the bus wrote
  input flip_go,              // flip one bit in the middle of this cycle
  input [7:0] flip_target, input [7:0] flip_word, input [7:0] flip_bit,
  output reg [15:0] broken,   // rules broken since watch_clear
  output busy, output [39:0] program_state, output [7:0] layer_state, output [7:0] read_state,
  output [7:0] gather_state, output [7:0] walk_state,
  output reg struck,          // a running command was reset, aborted or locked since watch_clear, in these states
  output reg [39:0] program_struck, output reg [7:0] layer_struck, output reg [7:0] read_struck,
  output reg [7:0] gather_struck, output reg [7:0] walk_struck
);

  bridgebnn dut(
    .clk(clk), .rst(rst), .wb_cyc(wb_cyc), .wb_stb(wb_stb), .wb_we(wb_we), .wb_adr(wb_adr), .wb_dat_w(wb_dat_w),
    .wb_sel(wb_sel), .wb_dat_r(wb_dat_r), .wb_ack(wb_ack), .wb_err(wb_err), .irq(irq), .row(row), .wl_en(wl_en),
    .bl(bl), .col_en(col_en), .precharge(precharge), .evaluate(evaluate), .sense(sense), .cmp_ref(cmp_ref), .hv_en(hv_en),
    .prog_op(prog_op), .prog_side(prog_side), .wl_level(wl_level), .prog_level(prog_level), .pulse(pulse),
    .verify(verify), .verify_ref(verify_ref), .cmp(cmp), .cmp_valid(cmp_valid), .sl(sl), .hv_ready(hv_ready));

  assign busy = dut.arbiter.busy;
  // One byte per block: the sequencer lowest, then rails, attempts, driver, bridges.
  assign program_state[7:0] = dut.program_.fsm_state;
  assign program_state[15:8] = dut.program_.rails.fsm_state;
  assign program_state[23:16] = dut.program_.attempts.fsm_state;
  assign program_state[31:24] = dut.program_.driver.fsm_state;
  assign program_state[39:32] = dut.program_.bridges.fsm_state;
  assign layer_state = dut.layer.fsm_state;
  assign read_state = dut.layer.reader.fsm_state;
  assign gather_state = dut.layer.maps.gather.fsm_state;
  assign walk_state = dut.layer.walk_check.fsm_state;

  // --- where the first interruption struck: what the state machines see at the clock edge -------------------------
  wire strikes = busy & (rst | dut.arbiter.abort | dut.unlock.strobe);
  always @(posedge clk)
    if (watch_clear) struck <= 0;
    else if (strikes & ~struck) begin
      struck <= 1;
      program_struck <= program_state; layer_struck <= layer_state; read_struck <= read_state;
      gather_struck <= gather_state; walk_struck <= walk_state;
    end
  initial struck = 0;

  // --- what the host has been told yes to ------------------------------------------------------------------------
  wire write = wb_ack & wb_we;
  reg [1:0] unlock = 0;
  reg locked = 0, hidden = 0;
  reg [15:0] width_form = WIDTH_FORM, width_set = WIDTH_SET, width_reset = WIDTH_RESET, budget = BUDGET;
  always @(negedge clk)
    if (rst) begin
      unlock <= 0; locked <= 0; hidden <= 0;
      width_form <= WIDTH_FORM; width_set <= WIDTH_SET; width_reset <= WIDTH_RESET; budget <= BUDGET;
    end else if (write) case (wb_adr)
      15'h009: unlock <= wb_dat_w == KEY0 ? 1 : wb_dat_w == KEY1 & unlock == 1 ? 2 : 0;
      15'h00a: begin locked <= locked | wb_dat_w[0]; hidden <= hidden | wb_dat_w[1]; end
      15'h00f: budget <= wb_dat_w[15:0];
      15'h010: width_form <= wb_dat_w[15:0];
      15'h014: width_set <= wb_dat_w[15:0];
      15'h018: width_reset <= wb_dat_w[15:0];
    endcase
  wire aborted = write & wb_adr == 15'h004 & wb_dat_w[3:0] == 15;
  wire open = unlock == 2 & ~locked;

  // --- the rules --------------------------------------------------------------------------------------------------
  wire reading = precharge | evaluate | sense;
  wire [15:0] width = prog_op == 0 ? width_form : prog_op == 1 ? width_set : width_reset;
  reg pulse_q = 0, busy_q = 0, rst_q = 0, open_q = 0, verify_q = 0;
  reg [16:0] length = 0;
  reg [AW+T+2*T*C+19-1:0] held = 0;
  wire [AW+T+2*T*C+19-1:0] holds = {row, wl_en, bl, col_en, prog_op, prog_side, wl_level, prog_level};
  integer i, pulsed, lines, foreign;
  always @* begin
    pulsed = 0; lines = 0; foreign = 0;
    for (i = 0; i < T; i = i + 1) lines = lines + wl_en[i];
    for (i = 0; i < T*C; i = i + 1) begin
      pulsed = pulsed + col_en[i];
      if (col_en[i] & ~wl_en[i / C]) foreign = foreign + 1;
    end
  end
  wire [15:0] rule;
  assign rule[0] = pulse & ~(hv_en & hv_ready & |wl_en);
  assign rule[1] = pulse & ~(open & open_q);
  assign rule[2] = precharge & evaluate | sense & ~evaluate;
  assign rule[3] = hv_en & reading;
  assign rule[4] = pulse & pulse_q & holds != held;
  assign rule[5] = pulse & watch_shape & length >= (width == 0 ? 1 : width);
  assign rule[6] = pulse & watch_shape & pulsed > (budget == 0 ? 1 : budget);
  assign rule[7] = pulse & (verify | reading) | verify & reading;
  assign rule[8] = (pulse | verify) & (lines != 1 | foreign != 0);
  assign rule[9] = aborted & (pulse | hv_en | verify);
  assign rule[10] = rst_q & (pulse | hv_en | verify | reading | |wl_en);
  assign rule[11] = ~busy & ~busy_q & (pulse | hv_en | verify | reading | |wl_en);
  assign rule[12] = ^{pulse, hv_en, verify, precharge, evaluate, sense, wl_en, wb_ack, wb_err, irq} === 1'bx;
  assign rule[13] = wb_ack & wb_err;
  assign rule[14] = wb_ack & ~wb_we & hidden & wb_adr[14:8] == 7'h04;
  assign rule[15] = pulse & row >= ROWS;
  always @(negedge clk) begin
    pulse_q <= pulse; busy_q <= busy; rst_q <= rst; open_q <= open; held <= holds;
    length <= pulse ? length + 1 : 0;
    if (watch_clear) broken <= 0; else broken <= broken | rule;
  end
  initial broken = 0;

  // --- flips, half a cycle away from every clock edge -------------------------------------------------------------
  always @(negedge clk)
    if (flip_go) case (flip_target)
FLIPS
      default: ;
    endcase
endmodule
