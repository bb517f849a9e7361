// Simulation-only shell around the generated controller: the prefetch attachment of the array agent.
//
// The macro's pins are the nets of this module. Read strobes are answered here, from memories that Python
// (tb/agents/prefetch_agent.py) writes: once per input vector and tile, the smallest `cmp_ref` at which the comparator of each
// row answers 1, for the row's next K comparisons; once after programming, the two planes of which a row's source
// lines are made. Programming pulses, verify reads and rows whose source lines are not settled by their devices alone
// ("live") go to Python, one by one: what a pulse or verify read asks for is collected here, of its tile alone. Verify reads of a
// row whose outcome Python has told ahead (`answers`, anew after each of its pulses) are answered here, too. Rules of the
// pins are checked in every cycle; the first break is kept in `fault`. Where a real macro gives no answer, X is driven
// (Icarus) or noise (Verilator, which has no X).
//
// T tiles, R rows, C columns, K comparisons a row and request, AW bits of `row`, FW bits of `cmp_ref`,
// TIED = 1: comparator tied off, nothing asked of Python, no rule checked (a baseline of `make bench`).
// TIED = 2: the same, but the comparator gives a fixed pattern of the row: the controller is as busy as with a macro.
//
// The controller takes its inputs at the rising edge of the clock; here they move at the falling edge before it, so that a
// simulator looks at the wide logic behind them once a cycle, and not at all while they rest. Wide vectors are copied and
// compared when a read or a verify begins or ends, not in every cycle.

`ifndef BRIDGEBNN_TOP
`define BRIDGEBNN_TOP bridgebnn
`endif

module bridgebnn_shell #(
    parameter T = 1, parameter R = 32, parameter C = 25, parameter K = 1,
    parameter AW = 5, parameter FW = 6, parameter TIED = 0
) (
    input clk, input rst,
    input wb_cyc, input wb_stb, input wb_we, input [14:0] wb_adr, input [31:0] wb_dat_w, input [3:0] wb_sel,
    output [31:0] wb_dat_r, output wb_ack, output wb_err, output irq
);
    localparam DW = 16;  // bits of a decision: signed, saturated
    localparam UW = 8;   // bits of a row's counter of evaluations

    wire [AW-1:0] row;
    wire [T-1:0] wl_en;
    wire [T*C-1:0] bl, col_en;
    wire precharge, evaluate, sense;
    wire signed [FW-1:0] cmp_ref;
    reg [T-1:0] cmp, cmp_valid;
    reg [T*C-1:0] sl;
    wire hv_en, pulse, verify, prog_side;
    wire [1:0] prog_op, verify_ref;
    wire [7:0] wl_level, prog_level;

    // ---- written by Python ----
    reg py_hv_ready = 0;
    reg [T*C-1:0] py_sl = 0;             // answers of live rows
    reg [C-1:0] py_passed = 0;           // answer of a verify read, of its tile
    reg [15:0] verified = 0;             // number of verify reads that Python has answered
    reg [6*C-1:0] answers = 0;           // what passes in one row: of side s and reference r at (3*s + r)*C, nominal
    reg [24:0] answers_for = 0;          // {1, tile, row} of that row; 0: of none
    reg [R*K*DW-1:0] decisions [0:T-1];  // smallest cmp_ref that gives 1, of row r and comparison k at (r*K + k)*DW
    reg [C-1:0] plane1 [0:T*R-1];        // source lines of row r of tile t at bl = 1, at t*R + r
    reg [C-1:0] plane0 [0:T*R-1];        // .. at bl = 0
    reg [T*R-1:0] known = 0;             // planes of this row are written
    reg [T*R-1:0] live = 0;              // source lines of this row come from Python
    reg [T*R-1:0] digital = 0;           // row is read through sl alone: no decisions are asked for it
    reg [T*R-1:0] marked = 0;            // first row of a layer: `layer_count` counts its evaluations
    reg [15:0] resolve_cyc = 0;          // cycles of sense before the comparators resolve; 65535: never
    reg [15:0] answered = 0;             // number of requests that Python has answered
    reg [15:0] py_stale = 0;             // a change: the devices moved, all decisions are asked for anew
    reg [31:0] seed = 32'h1;

    // ---- read by Python ----
    reg [15:0] request = 0;              // counts requests; Python answers within the same time step
    reg [T-1:0] ask = 0;                 // tiles that need new decisions (or, live, source lines)
    reg [R*UW-1:0] used [0:T-1];         // evaluations of each row since this tile's last answer
    reg [15:0] verify_request = 0;       // counts verify reads asked of Python, which answers within the same time step
    reg [95:0] ahead_reads = 0;          // counts those answered here, by reference, 32 bits each
    reg [95:0] ahead_columns = 0;        // and their columns
    reg [47:0] told = 0;                 // what the last pulse or verify read asks for, see below; the agent takes it apart
    reg [C-1:0] told_en = 0;             // and its columns
    reg [63:0] rose_ps = 0;              // when `pulse` rose last
    reg [15:0] layer_count = 0;
    reg [31:0] row_reads = 0;            // evaluate strobes
    reg [7:0] fault = 0;

    // Whatever Python drives goes to the controller through a register: Verilator evaluates all logic behind an input, or behind a
    // variable that it lets Python write, anew whenever time moves on. Bus: at the falling edge, half a cycle before the controller
    // looks. Reset and rails: at once, as outputs follow them at once.
    reg rst_n, hv_ready_n = 0, cyc_n = 0, stb_n = 0, we_n = 0;
    reg [14:0] adr_n = 0;
    reg [31:0] dat_w_n = 0;
    reg [3:0] sel_n = 0;
    always @(negedge clk) begin
        cyc_n <= wb_cyc; stb_n <= wb_stb; we_n <= wb_we; adr_n <= wb_adr; dat_w_n <= wb_dat_w; sel_n <= wb_sel;
    end

    initial rst_n = rst;
    always @(posedge rst or negedge rst) rst_n <= rst;
    always @(posedge py_hv_ready or negedge py_hv_ready) hv_ready_n <= py_hv_ready;

    `BRIDGEBNN_TOP controller (
        .clk(clk), .rst(rst_n), .wb_cyc(cyc_n), .wb_stb(stb_n), .wb_we(we_n), .wb_adr(adr_n), .wb_dat_w(dat_w_n),
        .wb_sel(sel_n), .wb_dat_r(wb_dat_r), .wb_ack(wb_ack), .wb_err(wb_err), .irq(irq),
        .row(row), .wl_en(wl_en), .bl(bl), .col_en(col_en), .precharge(precharge), .evaluate(evaluate), .sense(sense),
        .cmp_ref(cmp_ref), .cmp(cmp), .cmp_valid(cmp_valid), .sl(sl), .hv_en(hv_en), .hv_ready(hv_ready_n),
        .prog_op(prog_op), .prog_side(prog_side), .wl_level(wl_level), .prog_level(prog_level), .pulse(pulse),
        .verify(verify), .verify_ref(verify_ref)
    );

    reg evaluate_q = 0, sense_q = 0, pulse_q = 0, verify_q = 0, rst_q = 1;
    always @(posedge clk) begin
        rst_q <= rst;
        evaluate_q <= evaluate; sense_q <= sense; pulse_q <= pulse; verify_q <= verify;
    end

    // What is driven where the macro gives no answer. The noise of `sl` moves on by one word when its window closes.
    reg sl_open = 1;  // so that the first falling edge closes it
    wire sl_read = evaluate & evaluate_q, sl_verify = verify & verify_q;
`ifdef VERILATOR
    reg [T*C+31:0] noise = 0;
    reg [31:0] random = 32'h1;
    always @(posedge clk)
        random <= {random[30:0], random[31] ^ random[21] ^ random[1] ^ random[0]} ^ {seed[15:0], seed[31:16]};
    always @(negedge clk) if (sl_open && !sl_read && !sl_verify) noise <= {noise[T*C-1:0], random};
    wire [T*C-1:0] unknown = noise[T*C+31:32];
    wire [T-1:0] unknown_cmp = random[30 -: (T < 30 ? T : 30)];
    wire [T-1:0] unknown_valid = random[(T < 30 ? T : 30):1];
`else
    wire [T*C-1:0] unknown = {T*C{1'bx}};
    wire [T-1:0] unknown_cmp = {T{1'bx}};
    wire [T-1:0] unknown_valid = {T{1'bx}};
`endif

    // ---- requests, in the middle of the first cycle of an evaluation ----
    reg [T*C-1:0] seen_bl = 0, seen_en = 0;  // column data that the decisions of a tile belong to
    reg [T-1:0] primed = 0;
    reg [15:0] stale_q = 0;
    wire first = evaluate & ~evaluate_q & (TIED == 0);
    integer t;
    reg [T-1:0] need = 0;
    reg [UW-1:0] count;
    always @(negedge clk) begin
        need = 0;
        if (first)
            for (t = 0; t < T; t = t + 1)
                if (wl_en[t]) begin
                    count = used[t][row*UW +: UW];
                    if (live[t*R + row] || !primed[t] || &count)
                        need[t] = 1;
                    else if (!digital[t*R + row])
                        need[t] = count >= K || seen_bl[t*C +: C] != bl[t*C +: C] || seen_en[t*C +: C] != col_en[t*C +: C];
                end
        if (|need) begin
            ask <= need;
            request <= request + 1;
        end
    end

    reg [UW-1:0] turn [0:T-1];  // which comparison of the row this is, since the last answer
    integer u;
    always @(posedge clk) begin
        stale_q <= py_stale;
        if (stale_q != py_stale) primed <= 0;
        if (first) begin
            row_reads <= row_reads + 1;
            for (u = 0; u < T; u = u + 1)
                if (wl_en[u]) begin
                    turn[u] <= need[u] ? 0 : used[u][row*UW +: UW];
                    if (need[u]) begin
                        used[u] <= 0;
                        primed[u] <= 1;
                        seen_bl[u*C +: C] <= bl[u*C +: C];
                        seen_en[u*C +: C] <= col_en[u*C +: C];
                    end
                    used[u][row*UW +: UW] <= need[u] ? 1 : used[u][row*UW +: UW] + 1;
                end
        end
    end

    integer i;
    initial for (i = 0; i < T; i = i + 1) begin used[i] = 0; turn[i] = 0; end

    integer m;
    always @(posedge clk)
        if (first)
            for (m = 0; m < T; m = m + 1)
                if (wl_en[m] && marked[m*R + row]) layer_count <= layer_count + 1;

    // ---- pulses and verify reads, in the middle of their first cycle ----
    wire one_line = |wl_en && (wl_en & (wl_en - 1'b1)) == 0;
    integer w, k;
    reg [7:0] told_tile;
    reg [C-1:0] told_columns, passed;
    reg [31:0] columns;
    reg ahead = 0;  // the last verify read was answered here: by `passed`
    initial passed = 0;
    always @(negedge clk)
        if (TIED == 0 && ((pulse && !pulse_q) || (verify && !verify_q))) begin
            told_tile = 0;
            told_columns = 0;
            for (w = 0; w < T; w = w + 1)
                if (wl_en[w]) begin
                    told_tile = w[7:0];
                    told_columns = col_en[w*C +: C];
                end
            told_en <= told_columns;
            told <= {told_tile, {16-AW{1'b0}}, row, 2'b0, one_line, prog_side, prog_op, verify_ref, wl_level, prog_level};
            if (verify) begin
                ahead <= 0;
                if (answers_for == {1'b1, told_tile, {16-AW{1'b0}}, row} && prog_level == 0 && verify_ref != 3) begin
                    columns = 0;
                    for (k = 0; k < C; k = k + 1) columns = columns + told_columns[k];
                    ahead <= 1;
                    passed <= answers[((prog_side ? 3 : 0) + verify_ref)*C +: C];
                    ahead_reads[verify_ref*32 +: 32] <= ahead_reads[verify_ref*32 +: 32] + 1;
                    ahead_columns[verify_ref*32 +: 32] <= ahead_columns[verify_ref*32 +: 32] + columns;
                end else verify_request <= verify_request + 1;
            end
        end

    always @(posedge pulse) rose_ps <= $realtime * 1000.0;

    // ---- answers ----
    reg [15:0] sense_cyc = 0;
    always @(posedge clk) sense_cyc <= sense ? sense_cyc + (sense_cyc != 16'hfffe) : 0;

    integer a;
    reg signed [DW-1:0] least;
    always @(negedge clk) begin
        cmp <= unknown_cmp;
        cmp_valid <= unknown_valid;
        if (TIED != 0) begin
            cmp <= marked[T-1:0];  // 0, which only Python knows: no logic behind it is left out
            if (TIED == 2) cmp <= (row * 40503 >> 7) ^ (row >> 3) ^ {T{marked[0]}};
            cmp_valid <= ~marked[T-1:0];
        end else if (sense) begin
            for (a = 0; a < T; a = a + 1)
                if (wl_en[a]) begin
                    least = decisions[a][(row*K + turn[a])*DW +: DW];
                    cmp_valid[a] <= sense_cyc >= resolve_cyc;
                    if (sense_cyc >= resolve_cyc) cmp[a] <= cmp_ref >= least;
                end
        end
    end

    integer v;
    always @(negedge clk) begin
        sl_open <= TIED == 0 && (sl_read || sl_verify);
        if (TIED == 0 && (sl_read || sl_verify)) begin
            for (v = 0; v < T; v = v + 1)
                if (!wl_en[v]) begin
                    if (sl_open) sl[v*C +: C] <= unknown[v*C +: C];
                end else if (sl_verify)
                    sl[v*C +: C] <= (told_en & (ahead ? passed : py_passed)) | (~told_en & unknown[v*C +: C]);
                else if (live[v*R + row]) sl[v*C +: C] <= py_sl[v*C +: C];
                else if (known[v*R + row])
                    sl[v*C +: C] <= (col_en[v*C +: C] & ((bl[v*C +: C] & plane1[v*R + row])
                                  | (~bl[v*C +: C] & plane0[v*R + row]))) | (~col_en[v*C +: C] & unknown[v*C +: C]);
        end else if (sl_open) sl <= TIED != 0 ? {T*C{marked[0]}} : unknown;
    end

    // ---- rules of the pins (codes: tb/agents/protocol.py) ----
    reg fresh = 0;  // lines are precharged and not evaluated since
    reg [AW-1:0] row_q;
    reg [T-1:0] wl_q;
    reg [T*C-1:0] bl_q, en_q;
    reg signed [FW-1:0] ref_q;
    reg [20:0] prog_q;
    reg [2:0] verify_pins_q;
    wire [20:0] prog_pins = {prog_op, prog_side, wl_level, prog_level, hv_en, hv_ready_n};
    wire known_pins = ^{precharge, evaluate, sense, hv_en, pulse, verify, row, wl_en} !== 1'bx;
    wire held = (evaluate && evaluate_q) || (pulse && pulse_q) || (verify && verify_q);  // columns may not move
    integer d;
    reg undecided, bl_moved, en_moved;
    always @(posedge clk) begin
        row_q <= row; wl_q <= wl_en; ref_q <= cmp_ref; prog_q <= prog_pins;
        verify_pins_q <= {prog_side, verify_ref};
        bl_moved = 0;
        en_moved = 0;
        if (held && TIED == 0) begin
            bl_moved = bl !== bl_q;
            en_moved = col_en !== en_q;
        end else if (TIED == 0 && (evaluate || pulse || verify)) begin
            bl_q <= bl;
            en_q <= col_en;
        end
        if (precharge) fresh <= 1; else if (evaluate) fresh <= fresh & ~first;
        undecided = 0;
        if (sense) for (d = 0; d < T; d = d + 1) if (wl_en[d] && digital[d*R + row]) undecided = 1;
        if (fault == 0 && !rst && !rst_q && TIED == 0) begin
            if (!known_pins) fault <= 1;
            else if (precharge && evaluate) fault <= 2;
            else if (sense && !evaluate) fault <= 3;
            else if (first && !fresh) fault <= 4;
            else if (evaluate && wl_en == 0) fault <= 5;
            else if (hv_en && (precharge || evaluate || sense)) fault <= 6;
            else if (pulse && !(hv_en && hv_ready_n)) fault <= 7;
            else if ((pulse || verify) && !one_line) fault <= 8;
            else if (pulse && verify) fault <= 9;
            else if (verify && (precharge || evaluate || sense)) fault <= 10;
            else if (evaluate && evaluate_q && (row != row_q || wl_en != wl_q)) fault <= 11;
            else if (evaluate && evaluate_q && (bl_moved || en_moved)) fault <= 12;
            else if (sense && sense_q && cmp_ref != ref_q) fault <= 13;
            else if (pulse && pulse_q && (row != row_q || wl_en != wl_q || prog_pins != prog_q)) fault <= 14;
            else if (pulse && pulse_q && (bl_moved || en_moved)) fault <= 15;
            else if (verify && verify_q && (row != row_q || wl_en != wl_q || {prog_side, verify_ref} != verify_pins_q
                     || en_moved)) fault <= 16;
            else if (row >= R && (evaluate || pulse || verify)) fault <= 17;
            else if (undecided) fault <= 18;
            else if (first && |need && answered != request) fault <= 19;
            else if (verify && !verify_q && verified != verify_request) fault <= 19;
            else if (pulse && !pulse_q && bl !== col_en) fault <= 15;
        end
    end
endmodule
