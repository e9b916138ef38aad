from havengate.cli import main

main()
