# SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
# Times of loads and reloads. Call with -e "dir='...'".
set terminal svg size 1000,560 background "white" font "sans,13"
set output dir."/load.svg"
set title "10,000 services x 100 endpoints: ms (median of rounds, bars from least to most)"
set logscale y
set ylabel "ms"
set yrange [1:*]
set style fill solid 0.6
set boxwidth 0.6
set xtics rotate by -20
set grid y
set bmargin 12
plot 2000 title "bar" dashtype 2 lc rgb "#888888", \
     dir."/load.dat" using 0:3:4:5:xtic(2) with boxerrorbars notitle lc rgb "#3070b0"
