# Passes ctest's output through, and prints the ten slowest tests just before the summary ("100% tests passed, ...").
/Test +#[0-9]+: .* sec *$/ {
  seconds = $(NF - 1)
  name = $0
  sub(/^.*Test +#[0-9]+: /, "", name)
  sub(/ +\.*.*$/, "", name)
  count++
  time[count] = seconds
  title[count] = name
}
/^[0-9]+% tests passed/ {
  print_slowest()
}
{
  print
  fflush()
}

function print_slowest(   rank, i, best) {
  print "Ten slowest tests:"
  for (rank = 1; rank <= 10 && rank <= count; rank++) {
    best = 0
    for (i = 1; i <= count; i++) {
      if (!(i in taken) && (best == 0 || time[i] + 0 > time[best] + 0)) best = i
    }
    taken[best] = 1
    printf "%9.2f s  %s\n", time[best], title[best]
  }
  print ""
}
