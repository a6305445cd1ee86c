# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Times of loads and reloads. Call with -e "dir='...'".
set terminal svg size 1100,460 background "white" font "sans,13"
set output dir."/load.svg"
set title "10,000 services x 100 endpoints"
set grid x
set key outside bottom center
set lmargin 68
set offsets 0, 0, 0.7, 0.7
set yrange [*:*] reverse
set logscale x
set xrange [1:10000]
set xlabel "ms, median of rounds, least to most"
set rmargin 4
set arrow from 2000, graph 0 to 2000, graph 1 nohead dashtype 2 lc rgb "#c04040"
plot NaN with lines dashtype 2 lc rgb "#c04040" title "bar", \
     dir."/load.dat" using 3:0:4:5:ytic(2) with xerrorbars pt 7 lw 2 lc rgb "#3070b0" notitle
