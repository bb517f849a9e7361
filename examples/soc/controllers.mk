# Verilog of the two controllers: their geometry stands here, and in the widths of rtl/soc.v and rtl/macro1.v.
PYTHON ?= python3
BUILD ?= build

.PHONY: controllers
controllers: $(BUILD)/bnn0/bnn0.v $(BUILD)/bnn1/bnn1.v

$(BUILD)/bnn0/bnn0.v: controllers.mk
	"$(PYTHON)" -m bridgebnn hdl generate --name bnn0 --out $(@D) --tiles 2 --rows 12 --inputs 11 --bias 2
$(BUILD)/bnn1/bnn1.v: controllers.mk
	"$(PYTHON)" -m bridgebnn hdl generate --name bnn1 --out $(@D) --tiles 1 --rows 8 --inputs 7 --bias 2
