# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Rate through a service over rate without, with the spread of the rounds. Call with -e "dir='...'".
set terminal svg size 1000,440 background "white" font "sans,13"
set output dir."/flow.svg"
set title "rate through a service / rate direct"
set xlabel "median of rounds, least to most; 1 = the same"
set grid x
set key outside bottom center
set lmargin 52
set yrange [-0.7:7.7] reverse
set xrange [0.8:1.2]
set arrow from 1, graph 0 to 1, graph 1 nohead lc rgb "#888888"
set arrow from 0.99, graph 0 to 0.99, graph 1 nohead dashtype 2 lc rgb "#c04040"
plot NaN with lines dashtype 2 lc rgb "#c04040" title "bar", \
     dir."/flow.dat" using 3:0:4:5:ytic(2) with xerrorbars pt 7 lw 2 lc rgb "#3070b0" notitle
