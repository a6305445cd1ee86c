# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Rate through a service over rate without, with the spread of the rounds. Call with -e "dir='...'".
set terminal svg size 1000,520 background "white" font "sans,13"
set output dir."/flow.svg"
set title "through a service / direct (median of rounds, bars from least to most); 1 = the same rate"
set yrange [0.7:1.15]
set ylabel "x"
set style fill solid 0.6
set boxwidth 0.6
set xtics rotate by -20
set grid y
set bmargin 9
plot 0.99 title "bar" dashtype 2 lc rgb "#888888", \
     dir."/flow.dat" using 0:3:4:5:xtic(2) with boxerrorbars notitle lc rgb "#3070b0"
