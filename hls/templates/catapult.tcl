# Synthesis with Catapult: catapult -shell -file catapult.tcl
cd [file dirname [file normalize [info script]]]
project new -name catapult_project
options set Input/CppStandard c++17
solution file add ./econ_t.cpp -type C++
solution file add ./firmware/encoder.cpp -type C++
solution file add ./econ_t_csim.cpp -type C++ -exclude true
solution design set econ_t -top
go compile
solution library add @LIBRARY@ -- -rtlsyntool DesignCompiler
go libraries
directive set -CLOCKS {clk {-CLOCK_PERIOD @PERIOD@}}
go assembly
go extract
exit
