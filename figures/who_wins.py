"""Phase map: which of GD and USAM, each best stopped, has the smaller risk, by decay of the signal and rho."""

from pathlib import Path

from eossim.plot import save, who_wins

if __name__ == "__main__":
    figure, numbers = who_wins()
    save(figure, Path(__file__).with_suffix(""), numbers)
