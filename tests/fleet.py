"""A small AppConfig with ten clients: the truth against which the readers of its deployments are held."""

from __future__ import annotations

from dataclasses import dataclass, field

CLIENTS = 10


@dataclass
class Made:
    """One deployment, and what the clients had before it."""

    value: float
    growth: int
    """Clients that each step reaches."""
    before: float
    state: str = "VALIDATING"
    reached: int = 0


@dataclass
class Fleet:
    """One flag's environment; 0 is off, and what an absent flag is."""

    made: list[Made] = field(default_factory=list)
    clients: list[float] = field(default_factory=lambda: [0.0] * CLIENTS)

    @property
    def most(self) -> float:
        """The highest value that a client has."""
        return max(self.clients)

    @property
    def quiet(self) -> bool:
        """Whether nothing is under way, so that all clients have one value."""
        return not self.made or self.made[-1].state in ("BAKING", "COMPLETE", "ROLLED_BACK", "REVERTED")

    def start(self, value: float, growth: int) -> None:
        """A deployment, if AppConfig takes one now."""
        if not self.made or self.made[-1].state in ("COMPLETE", "ROLLED_BACK", "REVERTED"):
            self.made.append(Made(value, growth, self.clients[0]))

    def step(self) -> None:
        """The newest deployment goes on."""
        if not self.made:
            return
        one = self.made[-1]
        if one.state == "VALIDATING":
            one.state = "DEPLOYING"
        elif one.state == "DEPLOYING":
            one.reached = min(CLIENTS, one.reached + one.growth)
            self._give(one.value, one.reached)
            if one.reached == CLIENTS:
                one.state = "BAKING"
        elif one.state == "BAKING":
            one.state = "COMPLETE"
        elif one.state == "ROLLING_BACK":
            one.state = "ROLLED_BACK"
            self._give(one.before, CLIENTS)

    def stop(self) -> None:
        """StopDeployment with AllowRevert, or an alarm: half of the clients go back at once, the others by a step."""
        if not self.made:
            return
        one = self.made[-1]
        if one.state == "COMPLETE":
            one.state = "REVERTED"
            self._give(one.before, CLIENTS)
        elif one.state in ("VALIDATING", "DEPLOYING", "BAKING"):
            one.state = "ROLLING_BACK"
            self._give(one.before, one.reached // 2)

    def _give(self, value: float, count: int) -> None:
        self.clients[:count] = [value] * count
