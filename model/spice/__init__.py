"""The referee of the macro model: the same circuits with transistors of SKY130, in ngspice."""
