# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# What the connect program takes, by number of services and by policy. Call with -e "dir='...'".
set terminal svg size 900,760 background "white" font "sans,13"
set output dir."/connect.svg"
set multiplot layout 2,1
set title "weft's connect program, UDP: ns per run (median, least to most)"
set logscale x
set xtics ("10" 10, "1,000" 1000, "10,000" 10000, "100,000" 100000)
set xlabel "services loaded, 3 endpoints each"
set ylabel "ns"
set yrange [0:*]
set xrange [7:150000]
set key outside right
set grid y
plot 400 title "bar: hit" dashtype 2 lc rgb "#888888", 80 title "bar: not a service" dashtype 3 lc rgb "#888888", \
     dir."/connect-random.dat" using 1:2:3:4 with yerrorlines title "all services at random" lw 2, \
     dir."/connect-set.dat" using 1:2:3:4 with yerrorlines title "64 services at random" lw 2, \
     dir."/connect-one.dat" using 1:2:3:4 with yerrorlines title "one service" lw 2, \
     dir."/connect-miss.dat" using 1:2:3:4 with yerrorlines title "not a service" lw 2
unset logscale x
set autoscale x
set xrange [-0.6:6.6]
set xtics autofreq
set xtics rotate by -15
set title "by policy, one of 1,000 services"
unset xlabel
set style fill solid 0.6
set boxwidth 0.6
plot 400 title "bar" dashtype 2 lc rgb "#888888", \
     dir."/policy.dat" using 0:3:4:5:(0.6):xtic(2) with boxerrorbars notitle lc rgb "#3070b0"
unset multiplot
