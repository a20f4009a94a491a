from paretoserve.cli import main

main()
